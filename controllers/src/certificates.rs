//! CertificateSigningRequests: approved where the API server says that their sender may have them, signed with the
//! cluster's authority, deleted when nobody needs them any more.
//!
//! Watches: CertificateSigningRequests, which map to themselves.

mod approving;
mod cleaning;
mod request;
mod signing;
mod view;

#[cfg(test)]
mod tests;

use crate::Context;
use crate::support::wiring;
use std::sync::Arc;
use view::CsrView;
use windlass_core::cache::Informer;
use windlass_core::component::Component;
use windlass_core::controller::{Controller, ObjectKey, Reconciler};
use windlass_core::scheme;

/// The controller that approves what kubelets ask for by themselves: client certificates.
#[must_use]
pub fn approving(context: &Context) -> Box<dyn Component> {
    component(context, "certificate-approving", |context, requests| approving::Sync {
        context,
        requests,
    })
}

/// The controller that signs what is approved, for Kubernetes' own signers. Idle when the settings have no signer.
#[must_use]
pub fn signing(context: &Context) -> Box<dyn Component> {
    component(context, "certificate-signing", |context, requests| signing::Sync {
        context,
        requests,
    })
}

/// The controller that deletes what is settled, or waited for too long.
#[must_use]
pub fn cleaning(context: &Context) -> Box<dyn Component> {
    component(context, "certificate-cleaning", |context, requests| cleaning::Sync {
        context,
        requests,
    })
}

fn component<R: Reconciler<Request = ObjectKey>>(
    context: &Context,
    name: &'static str,
    make: impl FnOnce(Context, Arc<Informer<CsrView>>) -> R,
) -> Box<dyn Component> {
    let requests = context.informers.informer::<CsrView>(scheme::CERTIFICATESIGNINGREQUESTS);
    let controller = Controller::new(name, make(context.clone(), requests.clone()));
    let controller = controller.after(requests.synced());
    wiring::itself(&requests, &controller.queue());
    Box::new(controller)
}
