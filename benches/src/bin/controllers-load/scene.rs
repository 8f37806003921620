//! What all measurements need: a cluster, workloads, and a way to wait for them.

use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use windlass::standalone::{Cluster, Options};
use windlass_benches::{Process, Result};
use windlass_core::cache::{Change, InformerFactory};
use windlass_core::client::{Client, ListOptions, Scope};
use windlass_core::component::Shutdown;
use windlass_core::scheme;

/// A cluster in this process, and what it used since the last look.
pub(crate) struct Scene {
    pub(crate) client: Arc<dyn Client>,
    cluster: Cluster,
    pub(crate) informers: InformerFactory,
    pub(crate) shutdown: Shutdown,
    process: Process,
}

/// What was used between two looks.
pub(crate) struct Used {
    pub(crate) passed: Duration,
    pub(crate) cpu: Duration,
    pub(crate) writes: u64,
}

/// The beginning of a measurement.
pub(crate) struct Mark {
    at: Instant,
    cpu: Duration,
    version: u64,
}

/// How far a Deployment is.
#[derive(Deserialize)]
pub(crate) struct Progress {
    metadata: Metadata,
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    generation: i64,
}

#[derive(Deserialize)]
struct Spec {
    replicas: u64,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    observed_generation: i64,
    replicas: u64,
    updated_replicas: u64,
    available_replicas: u64,
}

// === impl Progress ===

impl Progress {
    /// All its pods are of its template and available.
    fn is_complete(&self) -> bool {
        let (status, wanted) = (&self.status, self.spec.replicas);
        status.observed_generation >= self.metadata.generation
            && [status.replicas, status.updated_replicas, status.available_replicas]
                .iter()
                .all(|count| *count == wanted)
    }
}

// === impl Scene ===

impl Scene {
    pub(crate) async fn open() -> Result<Self> {
        let cluster = Cluster::start(Options::in_memory()).await?;
        let (client, shutdown) = (cluster.client(), Shutdown::new());
        let informers = InformerFactory::new(client.clone(), shutdown.clone());
        Ok(Self { client, cluster, informers, shutdown, process: Process::this() })
    }

    pub(crate) async fn close(self) {
        self.shutdown.cancel();
        self.cluster.stop().await;
    }

    /// How many Deployments are complete, as it changes.
    pub(crate) fn complete(&self) -> watch::Receiver<usize> {
        let deployments = self.informers.informer::<Progress>(scheme::DEPLOYMENTS);
        let (count, seen) = watch::channel(0);
        deployments.on_change(move |change| {
            let (was, is) = match change {
                Change::Added(entry) => (false, entry.view.is_complete()),
                Change::Updated { old, new } => (old.view.is_complete(), new.view.is_complete()),
                Change::Deleted(entry) => (entry.view.is_complete(), false),
            };
            if was != is {
                count.send_modify(|count| *count = *count + usize::from(is) - usize::from(was));
            }
        });
        seen
    }

    pub(crate) async fn mark(&self) -> Result<Mark> {
        let version = self.version().await?;
        Ok(Mark { at: Instant::now(), cpu: self.process.cpu()?, version })
    }

    pub(crate) async fn since(&self, mark: &Mark) -> Result<Used> {
        let (passed, cpu) = (mark.at.elapsed(), self.process.cpu()?.saturating_sub(mark.cpu));
        Ok(Used { passed, cpu, writes: self.version().await? - mark.version })
    }

    pub(crate) fn resident_mb(&self) -> Result<f64> {
        Ok(self.process.resident()? as f64 / 1e6)
    }

    /// The version of the store: one up with each write.
    async fn version(&self) -> Result<u64> {
        let (scope, options) = (Scope::all(scheme::NAMESPACES), ListOptions::default());
        Ok(self.client.list(&scope, &options).await?.meta.resource_version.parse()?)
    }
}

/// Waits until a count is as wanted, at most so many seconds.
pub(crate) async fn until(
    count: &mut watch::Receiver<usize>,
    wanted: usize,
    seconds: u64,
) -> Result<()> {
    let reached = count.wait_for(|count| *count == wanted);
    let reached = tokio::time::timeout(Duration::from_secs(seconds), reached).await;
    let late = reached.map(|reached| reached.map(drop));
    late.map_err(|_| format!("not {wanted} but {} after {seconds} s", *count.borrow()))??;
    Ok(())
}

/// A Deployment of small pods.
pub(crate) fn deployment(name: &str, replicas: u64, image: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": {
            "metadata": {"labels": {"app": name}},
            "spec": {"containers": [{"name": "web", "image": image, "ports": [{"containerPort": 80}]}]}}},
    })
}
