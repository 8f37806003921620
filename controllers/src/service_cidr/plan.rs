//! Whether a range may go, and whether an address is as it should be.

use crate::support::ops::Op;
use crate::support::owner::name_of;
use crate::support::time::{time, until};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::net::IpAddr;
use std::time::Duration;
use windlass_core::apis::meta::v1::Condition;
use windlass_core::apis::networking::v1::{IPAddress, ServiceCIDR};
use windlass_core::client::Key;
use windlass_core::controller::ObjectKey;
use windlass_core::scheme;

pub(super) const FINALIZER: &str = "networking.k8s.io/service-cidr-finalizer";
/// Servers may give an address of a range away until they see that it goes.
const GRACE: i64 = 10;
const MANAGED_BY: &str = "ipaddress.kubernetes.io/managed-by";
const MANAGER: &str = "ipallocator.k8s.io";
const FAMILY: &str = "ipaddress.kubernetes.io/ip-family";

/// What there is to do about a range; or how long to wait with that. `used` are all addresses in use, which matter when the
/// range goes; `others` all other ranges.
pub(super) fn range(
    range: &ServiceCIDR,
    others: &[ServiceCIDR],
    used: &[IpAddr],
    now: Timestamp,
) -> Result<Op, Option<Duration>> {
    let finalizers = range.metadata.finalizers.clone().unwrap_or_default();
    let held = finalizers.iter().any(|one| one == FINALIZER);
    let key = Key::cluster(scheme::SERVICECIDRS, name_of(&range.metadata));
    let finalizers = |list: Vec<String>| {
        let version = &range.metadata.resource_version;
        json!({"metadata": {"resourceVersion": version, "finalizers": list}})
    };
    let list = || range.metadata.finalizers.clone().unwrap_or_default();
    let Some(deleted) = &range.metadata.deletion_timestamp else {
        if !held {
            let all = list().into_iter().chain([FINALIZER.to_owned()]).collect();
            return Ok(Op::Patch(key, finalizers(all)));
        }
        return ready(range, "True", "", "Kubernetes Service CIDR is ready", now).ok_or(None);
    };
    let alive = others.iter().filter(|other| other.metadata.deletion_timestamp.is_none());
    let alive: Vec<&ServiceCIDR> = alive.collect();
    let only_here =
        |ip: &&IpAddr| contains(range, **ip) && !alive.iter().any(|other| contains(other, **ip));
    if used.iter().any(|ip| only_here(&ip)) {
        let message = "There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR";
        return ready(range, "False", "Terminating", message, now).ok_or(None);
    }
    let wait = until(deleted.0, GRACE, now);
    if held && !wait.is_zero() {
        return Err(Some(wait));
    }
    let left = list().into_iter().filter(|one| one != FINALIZER).collect();
    if held { Ok(Op::Patch(key, finalizers(left))) } else { Err(None) }
}

fn ready(
    range: &ServiceCIDR,
    status: &str,
    reason: &str,
    message: &str,
    now: Timestamp,
) -> Option<Op> {
    let conditions = range.status.as_ref().and_then(|status| status.conditions.clone());
    let mut conditions: Vec<Condition> = conditions.unwrap_or_default();
    let known = conditions.iter().position(|condition| condition.type_ == "Ready");
    if known.is_some_and(|at| conditions[at].status == status) {
        return None;
    }
    let new = Condition {
        type_: "Ready".into(),
        status: status.into(),
        reason: reason.into(),
        message: message.into(),
        last_transition_time: time(now),
        observed_generation: None,
    };
    match known {
        Some(at) => conditions[at] = new,
        None => conditions.push(new),
    }
    let key = Key::cluster(scheme::SERVICECIDRS, name_of(&range.metadata)).subresource("status");
    Some(Op::Patch(key, json!({"status": {"conditions": conditions}})))
}

fn contains(range: &ServiceCIDR, ip: IpAddr) -> bool {
    let cidrs = range.spec.as_ref().and_then(|spec| spec.cidrs.as_ref());
    cidrs.into_iter().flatten().any(|cidr| is_in(cidr, ip) == Some(true))
}

fn is_in(cidr: &str, ip: IpAddr) -> Option<bool> {
    let (network, prefix) = cidr.split_once('/')?;
    let (network, prefix): (IpAddr, u32) = (network.parse().ok()?, prefix.parse().ok()?);
    let bits = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => (u128::from(u32::from(ip)), 32),
        IpAddr::V6(ip) => (u128::from(ip), 128),
    };
    let ((a, width), (b, other)) = (bits(network), bits(ip));
    let shift = (width as u32).checked_sub(prefix)?;
    let high = |bits: u128| bits.checked_shr(shift).unwrap_or(0);
    Some(width == other && high(a) == high(b))
}

/// The Service an address is recorded for; none for addresses of others.
pub(super) fn service_of(address: &IPAddress) -> Option<ObjectKey> {
    let labels = address.metadata.labels.as_ref()?;
    if labels.get(MANAGED_BY).map(String::as_str) != Some(MANAGER) {
        return None;
    }
    let parent = &address.spec.parent_ref;
    let of_service =
        parent.resource == "services" && parent.group.as_deref().unwrap_or("").is_empty();
    let key = ObjectKey::new(parent.namespace.clone().unwrap_or_default(), parent.name.clone());
    of_service.then_some(key)
}

/// The record of a Service's address.
pub(super) fn record(ip: &str, service: &ObjectKey) -> Value {
    let family = if ip.contains(':') { "IPv6" } else { "IPv4" };
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "IPAddress",
        "metadata": {"name": ip, "labels": {MANAGED_BY: MANAGER, FAMILY: family}},
        "spec": {"parentRef": {"group": "", "resource": "services", "namespace": service.namespace, "name": service.name}}})
}
