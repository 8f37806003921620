//! ServiceCIDRs that go only when no address of theirs is in use; and addresses that belong to nobody, or Services whose
//! addresses are recorded nowhere (KEP-1880).
//!
//! Watches: ServiceCIDRs; IPAddresses, which map to the ServiceCIDRs that contain them and to their Service; Services.

mod plan;
mod sync;

#[cfg(test)]
mod tests;

use crate::Context;
use crate::support::wiring;
use crate::views::{self, ServiceView};
use std::time::Duration;
use sync::Request;
use windlass_core::component::Component;
use windlass_core::controller::{Controller, ObjectKey};
use windlass_core::scheme;

/// An address and its Service are written together, yet seen one after the other.
const SETTLE: Duration = Duration::from_secs(60);

/// The controller of ServiceCIDRs.
#[must_use]
pub fn component(context: &Context) -> Box<dyn Component> {
    let ranges = views::headers(context, scheme::SERVICECIDRS);
    let addresses = views::headers(context, scheme::IPADDRESSES);
    let sync = sync::Ranges::new(context, ranges.clone(), addresses.clone());
    let controller =
        Controller::new("service-cidr", sync).after(ranges.synced()).after(addresses.synced());
    let queue = controller.queue();
    wiring::itself(&ranges, &queue);
    addresses.on_change(move |_| {
        for range in ranges.list(None).iter().filter(|range| range.object.header().deleting) {
            queue.add(ObjectKey::of(&range.object));
        }
    });
    Box::new(controller)
}

/// The controller that repairs the record of Services' addresses.
#[must_use]
pub fn repair(context: &Context) -> Box<dyn Component> {
    let services = context.informers.informer::<ServiceView>(scheme::SERVICES);
    let addresses = views::headers(context, scheme::IPADDRESSES);
    let sync = sync::Repair::new(context, services.clone(), addresses.clone());
    let controller = Controller::new("service-ip-repair", sync)
        .after(services.synced())
        .after(addresses.synced());
    let queue = controller.queue();
    let of_addresses = queue.clone();
    addresses.on_change(move |change| {
        of_addresses.add_after(Request::Address(change.object().name().to_owned()), SETTLE);
    });
    services.on_change(move |change| {
        queue.add_after(Request::Service(ObjectKey::of(change.object())), SETTLE);
        for ip in &change.entry().view.spec.cluster_ips {
            queue.add_after(Request::Address(ip.clone()), SETTLE);
        }
    });
    Box::new(controller)
}
