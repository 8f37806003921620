//! Bootstrap tokens: Secrets of type `bootstrap.kubernetes.io/token` in `kube-system`, by which new nodes enter a cluster.
//! They sign what is said of the cluster to everybody (ConfigMap `kube-public/cluster-info`), and end in their time.
//!
//! Watches: such Secrets; the ConfigMap, all of whose signatures are made together.

mod cleaning;
mod signature;
mod signing;
mod token;

#[cfg(test)]
mod tests;

use crate::Context;
use crate::support::wiring;
use windlass_core::cache::{HeaderOnly, Informer};
use windlass_core::component::Component;
use windlass_core::controller::{Controller, ObjectKey};
use windlass_core::scheme;

type Secrets = std::sync::Arc<Informer<HeaderOnly>>;

/// The controller that keeps the signatures of `kube-public/cluster-info`.
#[must_use]
pub fn signing(context: &Context) -> Box<dyn Component> {
    let secrets = secrets(context);
    let selector = format!("metadata.name={}", signing::CLUSTER_INFO);
    let maps = context.informers.filtered::<HeaderOnly>(scheme::CONFIGMAPS, &selector);
    let sync =
        signing::Sync { context: context.clone(), secrets: secrets.clone(), maps: maps.clone() };
    let controller =
        Controller::new("bootstrap-signer", sync).after(secrets.synced()).after(maps.synced());
    let (queue, from_secrets) = (controller.queue(), controller.queue());
    maps.on_change(move |_| queue.add(ObjectKey::new("", "")));
    secrets.on_change(move |_| from_secrets.add(ObjectKey::new("", "")));
    Box::new(controller)
}

/// The controller that deletes tokens whose time is over.
#[must_use]
pub fn cleaning(context: &Context) -> Box<dyn Component> {
    let secrets = secrets(context);
    let sync = cleaning::Sync { context: context.clone(), secrets: secrets.clone() };
    let controller = Controller::new("token-cleaner", sync).after(secrets.synced());
    wiring::itself(&secrets, &controller.queue());
    Box::new(controller)
}

fn secrets(context: &Context) -> Secrets {
    context.informers.filtered::<HeaderOnly>(scheme::SECRETS, &format!("type={}", token::TYPE))
}
