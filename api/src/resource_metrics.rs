//! `metrics.k8s.io`: what nodes and pods use, as `kubectl top` and HorizontalPodAutoscalers read it.
//!
//! ```text
//! request ─ registry ─ ResourceMetrics ─┬─ pods, nodes: from the watch cache, by the request's selectors
//!                                       └─ History: the last two samples of each node ─ rates
//! rounds, while somebody asks ─ Source (each agent's /metrics/resource) ─ sample ─┘
//! ```
//!
//! The agents have the truth; nothing is kept here but two samples of each. Agents are asked only while somebody
//! reads: the first reader waits for two samples a second apart, later ones for nothing, and a while after the last
//! one it is quiet again. A node that does not answer costs the others nothing: it is asked last the next time.

mod history;
mod objects;
mod rates;
mod rounds;
mod sample;
mod schema;
mod source;

#[cfg(test)]
mod tests;

pub use source::Source;

use crate::registry::{Observation, Observer};
use crate::server::Builder;
use async_trait::async_trait;
use bytes::Bytes;
use history::History;
use parking_lot::{Mutex, RwLock};
use rounds::Demand;
use serde_json::json;
use std::borrow::Cow;
use std::sync::Arc;
use tokio::sync::watch;
use windlass_core::Object;
use windlass_core::client::{Client, ClientExt, Key, ListOptions, Reader, Scope};
use windlass_core::clock::Clock;
use windlass_core::component::Shutdown;
use windlass_core::meta::Status;
use windlass_core::scheme::{CLUSTERROLES, GroupVersionResource, NODES, PODS, ResourceInfo};

const GROUP: &str = "metrics.k8s.io";
const VERSION: &str = "v1beta1";
/// Who may read objects may read what they use.
const READER: &str = "system:aggregated-metrics-reader";

/// The metrics API of a server. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct ResourceMetrics {
    inner: Arc<Inner>,
}

struct Inner {
    source: Box<dyn Source>,
    clock: Arc<dyn Clock>,
    shutdown: Shutdown,
    history: RwLock<History>,
    demand: Mutex<Demand>,
    /// Whether there was a round since somebody began to ask.
    filled: watch::Sender<bool>,
}

struct Of {
    metrics: ResourceMetrics,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Nodes,
    Pods,
}

// === impl ResourceMetrics ===

impl ResourceMetrics {
    /// Over what agents say. Nobody is asked after `shutdown`.
    #[must_use]
    pub fn new(source: impl Source + 'static, clock: Arc<dyn Clock>, shutdown: Shutdown) -> Self {
        let inner = Inner {
            source: Box::new(source),
            clock,
            shutdown,
            history: RwLock::default(),
            demand: Mutex::default(),
            filled: watch::Sender::new(false),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Serves the group.
    #[must_use]
    pub fn serve(&self, builder: Builder) -> Builder {
        [Kind::Nodes, Kind::Pods].into_iter().fold(builder, |builder, kind| {
            let observer = Of { metrics: self.clone(), kind };
            builder.observer(Arc::new(kind.info()), Arc::new(observer))
        })
    }

    /// Makes the role by which viewers, editors and administrators of namespaces read it. May be called at every start.
    ///
    /// # Errors
    /// When the server refuses it.
    pub async fn publish(client: &dyn Client) -> windlass_core::Result<()> {
        let aggregate = |to: &str| (format!("rbac.authorization.k8s.io/aggregate-to-{to}"), "true");
        let labels: std::collections::BTreeMap<_, _> =
            ["view", "edit", "admin"].map(aggregate).into_iter().collect();
        let role = json!({
            "metadata": {"name": READER, "labels": labels},
            "rules": [{"apiGroups": [GROUP], "resources": ["pods", "nodes"], "verbs": ["get", "list", "watch"]}],
        });
        match client.create_from(&Key::cluster(CLUSTERROLES, READER), &role).await {
            Err(error) if !error.is_already_exists() => Err(error),
            _ => Ok(()),
        }
    }
}

// === impl Kind ===

impl Kind {
    fn info(self) -> ResourceInfo {
        let (resource, kind) = match self {
            Self::Nodes => ("nodes", "NodeMetrics"),
            Self::Pods => ("pods", "PodMetrics"),
        };
        let gvr = GroupVersionResource::new(GROUP, VERSION, resource);
        ResourceInfo {
            storage: gvr.group_version(),
            gvr,
            kind: kind.into(),
            // The word is taken: whoever types it means the object itself.
            singular: "".into(),
            namespaced: self == Self::Pods,
            verbs: ["get", "list"].map(Cow::Borrowed).to_vec(),
            short_names: Vec::new(),
            categories: Vec::new(),
            subresources: Vec::new(),
        }
    }

    fn subjects(self) -> GroupVersionResource {
        match self {
            Self::Nodes => NODES,
            Self::Pods => PODS,
        }
    }
}

// === impl Of ===

#[async_trait]
impl Observer for Of {
    fn schema(&self) -> Option<Bytes> {
        let schema = match self.kind {
            Kind::Nodes => schema::node(),
            Kind::Pods => schema::pod(),
        };
        Some(schema.to_string().into())
    }

    async fn observe(&self, asked: Observation<'_>) -> Result<Vec<Arc<Object>>, Status> {
        let inner = &self.metrics.inner;
        inner.awake(asked.objects).await;
        let scope =
            Scope { resource: self.kind.subjects(), namespace: asked.namespace.map(str::to_owned) };
        // Metrics are of a moment ago, and so may be what they are of.
        let options = ListOptions {
            label_selector: asked.options.label_selector.clone(),
            field_selector: asked.options.field_selector.clone(),
            resource_version: "0".into(),
            ..ListOptions::default()
        };
        let subjects = asked.objects.list(&scope, &options).await.map_err(|error| match error {
            windlass_core::Error::Status(status) => *status,
            other => Status::internal(other),
        })?;
        let history = inner.history.read();
        let observed = subjects.items.iter().filter_map(|subject| match self.kind {
            Kind::Nodes => Some(objects::node(subject, history.node(subject.name())?)),
            Kind::Pods => {
                let used = history.pod(subject.namespace(), subject.name())?;
                Some(objects::pod(subject, &used))
            }
        });
        observed.collect()
    }
}
