//! A control plane on a socket, and the processes that work for it.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::Duration;
use windlass::standalone::{Cluster, Options};
use windlass_core::cache::InformerFactory;
use windlass_core::client::Client;
use windlass_core::component::{BoxError, Shutdown};
use windlass_core::scheme;

pub(crate) const DEADLINE: Duration = Duration::from_secs(60);
/// A Lease is given up quickly, so that others need not wait.
pub(crate) const HASTE: [&str; 4] = [
    "--leader-elect-lease-duration=2s",
    "--leader-elect-renew-deadline=1500ms",
    "--leader-elect-retry-period=300ms",
    "--health-address=127.0.0.1:0",
];

/// A control plane without controllers and scheduler, on a socket.
pub(crate) struct Scene {
    cluster: Cluster,
    informers: InformerFactory,
    shutdown: Shutdown,
    dir: tempfile::TempDir,
}

/// A component; killed when it is dropped.
pub(crate) struct Running(pub(crate) Child);

impl Scene {
    pub(crate) async fn open() -> Result<Self, BoxError> {
        let dir = tempfile::tempdir()?;
        let options = Options {
            data_dir: Some(dir.path().into()),
            listen: Some(([127, 0, 0, 1], 0).into()),
            controllers: false,
            scheduler: false,
            ..Options::in_memory()
        };
        let (cluster, shutdown) = (Cluster::start(options).await?, Shutdown::new());
        let informers = InformerFactory::new(cluster.client(), shutdown.clone());
        Ok(Self { cluster, informers, shutdown, dir })
    }

    pub(crate) fn client(&self) -> Arc<dyn Client> {
        self.cluster.client()
    }

    /// A file of this name in the cluster's folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The administrator's kubeconfig.
    pub(crate) fn kubeconfig(&self) -> Result<&Path, BoxError> {
        Ok(self.cluster.kubeconfig().ok_or("it listens")?)
    }

    /// Waits until the objects of a resource are as wanted; looks after each change.
    pub(crate) async fn until<T>(
        &self,
        what: &str,
        resource: scheme::GroupVersionResource,
        wanted: impl Fn(&[Value]) -> Option<T>,
    ) -> Result<T, BoxError> {
        let informer = self.informers.informer::<Value>(resource);
        let found = informer.wait_for(|informer| {
            let all: Vec<_> = informer.list(None).iter().map(|entry| entry.view.clone()).collect();
            wanted(&all)
        });
        Ok(tokio::time::timeout(DEADLINE, found).await.map_err(|_| format!("{what}: in vain"))?)
    }

    /// Waits until somebody other than `old` holds the Lease of a component.
    pub(crate) async fn leader(&self, component: &str, old: &str) -> Result<String, BoxError> {
        let holder = |leases: &[Value]| {
            let of = |lease: &&Value| lease["metadata"]["name"] == component;
            let holder = leases.iter().find(of)?["spec"]["holderIdentity"].as_str()?;
            (holder != old).then(|| holder.to_owned())
        };
        self.until("a leader", scheme::LEASES, holder).await
    }

    pub(crate) async fn close(self) {
        self.shutdown.cancel();
        self.cluster.stop().await;
    }
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Result<Self, BoxError> {
        Ok(Self(command.spawn()?))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Runs a program to its end; what it wrote.
pub(crate) async fn output(mut command: Command) -> Result<String, BoxError> {
    let ended = tokio::task::spawn_blocking(move || command.output());
    let ended = tokio::time::timeout(DEADLINE, ended).await???;
    if !ended.status.success() {
        return Err(String::from_utf8_lossy(&ended.stderr).into());
    }
    Ok(String::from_utf8(ended.stdout)?)
}
