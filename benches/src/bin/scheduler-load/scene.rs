//! API server, durable store and scheduler in this process, and what a workload finds there.

use futures::{StreamExt, TryStreamExt, stream};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use windlass::standalone::{Cluster, Options};
use windlass_api::admission::Plugins;
use windlass_benches::wire::Server;
use windlass_benches::workload::{BEFORE, HIGH, PLACED, Workload};
use windlass_benches::{Process, Result, add_node};
use windlass_core::client::{Client, ClientExt, Key};
use windlass_core::component::Shutdown;
use windlass_core::scheme;

/// Where pods are that find no room.
pub(crate) const HOPELESS: &str = "sched-2";
/// So many nodes are made at the same time.
const SLOTS: usize = 64;

/// A cluster with a scheduler and without controllers.
pub(crate) struct Scene {
    /// For what is not measured.
    pub(crate) client: Arc<dyn Client>,
    pub(crate) server: Arc<Server>,
    pub(crate) kubeconfig: PathBuf,
    pub(crate) process: Process,
    pub(crate) shutdown: Shutdown,
    cluster: Cluster,
    _dir: tempfile::TempDir,
}

// === impl Scene ===

impl Scene {
    /// Keeps its data in a new folder in `dir`.
    pub(crate) async fn open(dir: &Path, connections: usize) -> Result<Self> {
        let dir = tempfile::tempdir_in(dir)?;
        let options = Options {
            data_dir: Some(dir.path().into()),
            listen: Some(([127, 0, 0, 1], 0).into()),
            controllers: false,
            // Nobody would take the taint away. Upstream leaves it out too.
            admission: Plugins::new([""; 0], ["TaintNodesByCondition"])?,
            ..Options::in_memory()
        };
        let cluster = Cluster::start(options).await?;
        let kubeconfig = cluster.kubeconfig().ok_or("it listens")?.to_owned();
        let server = Arc::new(Server::read(&kubeconfig, connections).await?);
        let (client, process, shutdown) = (cluster.client(), Process::this(), Shutdown::new());
        Ok(Self { client, server, kubeconfig, process, shutdown, cluster, _dir: dir })
    }

    /// Makes namespaces, the class of greater pods, and nodes.
    pub(crate) async fn furnish(&self, workload: &Workload, nodes: u64) -> Result<()> {
        for name in [BEFORE, PLACED, HOPELESS] {
            let object = json!({"metadata": {"name": name}});
            self.client.create_from(&Key::cluster(scheme::NAMESPACES, name), &object).await?;
            let account = json!({"metadata": {"name": "default"}});
            let key = Key::new(scheme::SERVICEACCOUNTS, name, "default");
            self.client.create_from(&key, &account).await?;
        }
        let class = json!({"metadata": {"name": HIGH.0}, "value": HIGH.1});
        self.client.create_from(&Key::cluster(scheme::PRIORITYCLASSES, HIGH.0), &class).await?;
        let add =
            |number: u64| async move { add_node(&*self.client, &workload.node(number)).await };
        let made = stream::iter(0..nodes).map(add);
        made.buffer_unordered(SLOTS).try_for_each(|()| async { Ok(()) }).await
    }

    pub(crate) async fn close(self) {
        self.shutdown.cancel();
        self.cluster.stop().await;
    }
}
