//! Kinds that other servers serve behind the API server.

use super::graph::{Graph, Source};
use super::watch::{Queue, follow_until};
use crate::Context;
use crate::support::aggregated::{self, Service};
use crate::support::kinds::Kind;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use windlass_core::cache::Informer;
use windlass_core::client::{Client, Discovery};
use windlass_core::component::{Ready, Shutdown};
use windlass_core::scheme::{self, GroupVersion};

/// Waiting time after a server did not say what it serves.
const AGAIN: Duration = Duration::from_secs(10);
/// So often a server is asked anew, besides when something changes about its APIService: nobody tells of a kind more.
/// (Kubernetes asks all of them every 30 seconds.)
const REFRESH: Duration = Duration::from_secs(60);

/// What objects must be able to do to be followed and collected.
const VERBS: [&str; 3] = ["list", "watch", "delete"];

/// The kinds that are followed, each as long as its APIService leads to another server.
#[derive(Default)]
pub(super) struct Behind(Mutex<FxHashMap<String, Followed>>);

struct Followed {
    stop: Shutdown,
    /// Its server may serve something else now.
    changed: Arc<Notify>,
    kinds: Vec<(Kind, Shutdown)>,
}

/// What it takes to follow a kind.
#[derive(Clone)]
struct Means {
    discovery: Arc<dyn Discovery>,
    services: Arc<Informer<Service>>,
    client: Arc<dyn Client>,
    graph: Arc<Graph>,
    queue: Queue,
}

// === impl Behind ===

impl Behind {
    /// Follows what other servers serve, from when they are first there. Says when it is known which servers there are.
    pub(super) fn follow(
        self: &Arc<Self>,
        context: &Context,
        graph: &Arc<Graph>,
        queue: &Queue,
        shutdown: &Shutdown,
    ) -> Option<Ready> {
        let discovery = context.settings.discovery.clone()?;
        let services = context.informers.informer::<Service>(scheme::APISERVICES);
        let (client, graph, queue) = (context.client.clone(), graph.clone(), queue.clone());
        let means = Means { discovery, services: services.clone(), client, graph, queue };
        let (this, shutdown) = (self.clone(), shutdown.clone());
        services.on_change(move |change| {
            let (name, service) = (change.object().name(), &change.entry().view);
            let gone = matches!(change, windlass_core::cache::Change::Deleted(_));
            let version = service.elsewhere().filter(|_| !gone);
            let mut followed = this.0.lock();
            let Some(version) = version else {
                followed.remove(name).into_iter().for_each(|one| one.stop.cancel());
                return;
            };
            if !service.is_available() {
                return;
            }
            if let Some(known) = followed.get(name) {
                return known.changed.notify_one();
            }
            let (stop, changed) = (shutdown.child_token(), Arc::new(Notify::new()));
            let new = Followed { stop: stop.clone(), changed: changed.clone(), kinds: Vec::new() };
            followed.insert(name.to_owned(), new);
            let (this, name, means) = (this.clone(), name.to_owned(), means.clone());
            let asked = Ready::default();
            means.graph.pending().begin(&asked, &stop);
            let keep = async move {
                loop {
                    let available = || {
                        let known = means.services.get("", &name);
                        known.is_some_and(|service| service.view.is_available())
                    };
                    let kinds = kinds(&*means.discovery, &version, available).await;
                    this.take(&name, kinds, &means);
                    asked.set();
                    // Either way it is time to ask again.
                    let _ = tokio::time::timeout(REFRESH, changed.notified()).await;
                }
            };
            tokio::spawn(async move { stop.run_until_cancelled(keep).await });
        });
        Some(services.synced())
    }

    /// Follows what a server serves now, and nothing else of it.
    fn take(&self, service: &str, kinds: Vec<Kind>, means: &Means) {
        let mut all = self.0.lock();
        let Some(followed) = all.get_mut(service) else { return };
        let (kept, gone): (Vec<_>, Vec<_>) =
            followed.kinds.drain(..).partition(|(kind, _)| kinds.contains(kind));
        gone.into_iter().for_each(|(_, stop)| stop.cancel());
        followed.kinds = kept;
        for kind in kinds {
            if followed.kinds.iter().any(|(known, _)| *known == kind) {
                continue;
            }
            let (stop, Means { client, graph, queue, .. }) = (followed.stop.child_token(), means);
            follow_until(client, (&kind, Source::Behind), graph, queue, stop.clone());
            followed.kinds.push((kind, stop));
        }
    }

    /// The followed kind of this name, in any version.
    pub(super) fn find(&self, group: &str, kind: &str) -> Option<Kind> {
        let followed = self.0.lock();
        let mut kinds = followed.values().flat_map(|one| &one.kinds).map(|(kind, _)| kind);
        kinds.find(|known| known.kind == kind && known.resource.group == group).cloned()
    }
}

/// What can be collected of a group version; asked for until the server says. Its service may have become unavailable.
async fn kinds(
    discovery: &dyn Discovery,
    version: &GroupVersion,
    available: impl Fn() -> bool,
) -> Vec<Kind> {
    loop {
        match aggregated::kinds(discovery, version, available(), &VERBS).await {
            Ok(kinds) => return kinds,
            Err(error) => tracing::warn!(%version, %error, "a server does not say what it serves"),
        }
        tokio::time::sleep(AGAIN).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use windlass_core::scheme::GroupVersionResource;

    #[test]
    fn a_kind_is_found_by_its_group() {
        let resource = GroupVersionResource::new("a.b", "v1", "ships");
        let ship = Kind { resource, kind: "Ship".into(), namespaced: true };
        let kinds = vec![(ship, Shutdown::new())];
        let new = Followed { stop: Shutdown::new(), changed: Arc::default(), kinds };
        let behind = Behind::default();
        behind.0.lock().insert("v1.a.b".into(), new);
        assert!(behind.find("a.b", "Ship").is_some_and(|kind| kind.namespaced));
        assert!(behind.find("c.d", "Ship").is_none());
    }
}
