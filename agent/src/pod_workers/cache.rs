//! What the runtime has, pod by pod, kept up to date by its events.

use super::bells::Bells;
use super::snapshot::PodRuntime;
use crate::runtime::{self, ContainerState, ContainerStatus, Runtime, SandboxStatus};
use futures::StreamExt;
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use windlass_core::component::Shutdown;
use windlass_core::workqueue::Backoff;

/// Events that come together cause one look at the runtime.
const AT_ONCE: usize = 256;

/// What the runtime has, by the uid of pods.
pub(crate) struct RuntimeCache {
    runtime: Arc<dyn Runtime>,
    bells: Bells,
    pods: Mutex<HashMap<String, Arc<PodRuntime>>>,
    /// Looks follow one another, so that an older one never replaces a newer one.
    look: tokio::sync::Mutex<()>,
}

impl RuntimeCache {
    pub(crate) fn new(runtime: Arc<dyn Runtime>, bells: Bells) -> Self {
        Self { runtime, bells, pods: Mutex::default(), look: tokio::sync::Mutex::default() }
    }

    /// What there is of a pod.
    pub(crate) fn pod(&self, uid: &str) -> Arc<PodRuntime> {
        self.pods.lock().get(uid).cloned().unwrap_or_default()
    }

    /// The uids of all pods of which there is something.
    pub(crate) fn uids(&self) -> Vec<String> {
        self.pods.lock().keys().cloned().collect()
    }

    /// Looks at the runtime; rings for the pods that have changed.
    pub(crate) async fn refresh(&self) -> runtime::Result<()> {
        let _one = self.look.lock().await;
        let containers = self.runtime.list_containers().await?;
        let sandboxes = self.runtime.list_sandboxes().await?;
        let new = by_pod(sandboxes, containers);
        let old = std::mem::replace(&mut *self.pods.lock(), new.clone());
        for uid in old.keys().chain(new.keys()) {
            if old.get(uid).map(|pod| marks(pod)) != new.get(uid).map(|pod| marks(pod)) {
                self.bells.ring(uid);
            }
        }
        Ok(())
    }

    /// Follows the runtime's events until shutdown.
    pub(crate) async fn follow(&self, shutdown: Shutdown) {
        shutdown.run_until_cancelled(self.follow_events()).await;
    }

    async fn follow_events(&self) {
        let backoff = Backoff { first: Duration::from_millis(100), max: Duration::from_secs(30) };
        let mut failures = 0;
        loop {
            let mut events = self.runtime.events().ready_chunks(AT_ONCE);
            // What happened before the stream began.
            self.look_again(&mut failures).await;
            while events.next().await.is_some() {
                self.look_again(&mut failures).await;
            }
            tokio::time::sleep(backoff.wait(failures)).await;
            failures += 1;
        }
    }

    async fn look_again(&self, failures: &mut u32) {
        match self.refresh().await {
            Ok(()) => *failures = 0,
            Err(error) => tracing::warn!(%error, "can't look at the container runtime"),
        }
    }
}

fn by_pod(
    sandboxes: Vec<SandboxStatus>,
    containers: Vec<ContainerStatus>,
) -> HashMap<String, Arc<PodRuntime>> {
    let owners: HashMap<_, _> =
        sandboxes.iter().map(|s| (s.id.clone(), s.config.uid.clone())).collect();
    let mut pods: BTreeMap<String, (Vec<_>, Vec<_>)> = BTreeMap::new();
    for sandbox in sandboxes {
        pods.entry(sandbox.config.uid.clone()).or_default().0.push(sandbox);
    }
    for container in containers {
        if let Some(uid) = owners.get(&container.sandbox) {
            pods.entry(uid.clone()).or_default().1.push(container);
        }
    }
    pods.into_iter().map(|(uid, (s, c))| (uid, Arc::new(PodRuntime::new(s, c)))).collect()
}

/// What tells one state of a pod from another.
type Marks<'a> = (Vec<(&'a str, bool)>, Vec<(&'a str, &'a ContainerState)>);

fn marks(pod: &PodRuntime) -> Marks<'_> {
    let sandboxes = pod.sandboxes.iter().map(|s| (s.id.0.as_str(), s.ready)).collect();
    let containers = pod.containers.iter().map(|c| (c.id.0.as_str(), &c.state)).collect();
    (sandboxes, containers)
}
