//! Kinds that other servers serve behind the API server.

use super::graph::{Graph, Source};
use super::watch::{Queue, follow_until};
use crate::Context;
use crate::support::kinds::Kind;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use windlass_core::client::{Client, Discovery};
use windlass_core::component::{Ready, Shutdown};
use windlass_core::scheme::{self, GroupVersion, ResourceInfo};

/// Waiting time after a server did not say what it serves.
const AGAIN: Duration = Duration::from_secs(10);
/// So often a server is asked anew, besides when something changes about its APIService: nobody tells of a kind more.
/// (Kubernetes asks all of them every 30 seconds.)
const REFRESH: Duration = Duration::from_secs(60);

/// What is read of an APIService.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Service {
    spec: Spec,
    status: Status,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Spec {
    group: String,
    version: String,
    service: Option<Reference>,
}

/// Only that there is one matters here.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct Reference {}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Status {
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Condition {
    r#type: String,
    status: String,
}

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
    client: Arc<dyn Client>,
    graph: Arc<Graph>,
    queue: Queue,
}

// === impl Service ===

impl Service {
    /// The group version that another server serves.
    fn elsewhere(&self) -> Option<GroupVersion> {
        let Spec { group, version, service } = &self.spec;
        let (group, version) = (group.clone().into(), version.clone().into());
        service.map(|Reference {}| GroupVersion { group, version })
    }

    fn is_available(&self) -> bool {
        let is =
            |condition: &Condition| condition.r#type == "Available" && condition.status == "True";
        self.status.conditions.iter().any(is)
    }
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
        let means = Means { discovery, client, graph, queue };
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
                    let kinds = kinds(&*means.discovery, &version).await;
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

/// What can be collected of a group version; asked for until the server says.
async fn kinds(discovery: &dyn Discovery, version: &GroupVersion) -> Vec<Kind> {
    loop {
        match discovery.resources(version).await {
            Ok(infos) => return infos.iter().filter_map(|info| collectable(info)).collect(),
            Err(error) => tracing::warn!(%version, %error, "a server does not say what it serves"),
        }
        tokio::time::sleep(AGAIN).await;
    }
}

fn collectable(info: &ResourceInfo) -> Option<Kind> {
    let can = ["list", "watch", "delete"].iter().all(|verb| info.has_verb(verb));
    can.then(|| Kind {
        resource: info.gvr.clone(),
        kind: info.kind.to_string(),
        namespaced: info.namespaced,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn service(value: Value) -> Service {
        serde_json::from_value(value).expect("an APIService")
    }

    #[test]
    fn only_what_others_serve_counts_once_it_is_there() {
        let local = service(json!({"spec": {"group": "apps", "version": "v1"}}));
        assert_eq!(local.elsewhere(), None);
        let conditions = json!({"conditions": [{"type": "Available", "status": "True"}]});
        let spec = json!({"group": "a.b", "version": "v1", "service": {"name": "x"}});
        let other = service(json!({"spec": spec, "status": conditions}));
        let version = other.elsewhere().expect("another server's");
        assert_eq!((version.to_string().as_str(), other.is_available()), ("a.b/v1", true));
        assert!(!service(json!({"spec": spec})).is_available());
    }

    #[test]
    fn what_can_not_be_watched_or_deleted_is_not_collected() {
        let version = GroupVersion { group: "a.b".into(), version: "v1".into() };
        let list = json!({"resources": [
            {"name": "ships", "kind": "Ship", "namespaced": true, "verbs": ["delete", "list", "watch"]},
            {"name": "sights", "kind": "Sight", "verbs": ["get", "list"]},
        ]});
        let infos = scheme::read_resources(&version, list.to_string().as_bytes()).expect("a list");
        let kinds: Vec<Kind> = infos.iter().filter_map(|info| collectable(info)).collect();
        assert_eq!(kinds.iter().map(|kind| &*kind.kind).collect::<Vec<_>>(), ["Ship"]);
        let behind = Behind::default();
        let kinds = kinds.into_iter().map(|kind| (kind, Shutdown::new())).collect();
        let new = Followed { stop: Shutdown::new(), changed: Arc::default(), kinds };
        behind.0.lock().insert("v1.a.b".into(), new);
        assert!(behind.find("a.b", "Ship").is_some_and(|kind| kind.namespaced));
        assert!(behind.find("c.d", "Ship").is_none());
    }
}
