//! What all workers share.

use super::bells::Bells;
use super::cache::RuntimeCache;
use super::ledger::Ledger;
use crate::config::Config;
use crate::environment::{ServiceView, service_variables};
use crate::eviction::Verdicts;
use crate::image_gc::ImageGc;
use crate::pod::{PodExt, Role, field_path};
use crate::prober::Prober;
use crate::references::References;
use crate::runtime::Runtime;
use crate::volumes::VolumeManager;
use jiff::Timestamp;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::{Notify, Semaphore};
use windlass_core::apis::core::v1::{Pod, PodStatus};
use windlass_core::cache::Informer;
use windlass_core::client::Client;
use windlass_core::clock::Env;
use windlass_core::events::{EventType, Recorder, Reference};

/// The node as its pods' workers see it.
pub(crate) struct Host {
    pub(crate) config: Arc<Config>,
    pub(crate) client: Arc<dyn Client>,
    pub(crate) env: Env,
    pub(crate) runtime: Arc<dyn Runtime>,
    /// `oci` of `oci://0.1.0`.
    pub(crate) runtime_name: String,
    pub(crate) recorder: Recorder,
    pub(crate) references: Arc<References>,
    pub(crate) volumes: Arc<VolumeManager>,
    pub(crate) image_gc: Arc<ImageGc>,
    #[cfg(feature = "plugins")]
    pub(crate) devices: Arc<crate::plugins::devices::Devices>,
    pub(crate) prober: Prober,
    pub(crate) cache: Arc<RuntimeCache>,
    pub(crate) services: Arc<Informer<ServiceView>>,
    pub(crate) bells: Bells,
    pub(crate) ledger: Mutex<Ledger>,
    /// The pods that are worked on, by uid.
    pub(crate) pods: Mutex<HashMap<String, Arc<Pod>>>,
    /// Told when one of them is another, or gone.
    pub(crate) pods_changed: Notify,
    /// Which of them must go.
    pub(crate) verdicts: Arc<Verdicts>,
    /// So many images are fetched at once.
    pub(crate) pulls: Semaphore,
}

impl Host {
    pub(crate) fn now(&self) -> Timestamp {
        self.env.clock.now()
    }

    /// What the API shows of containers that still run was found by an earlier agent, and holds until it is
    /// found otherwise.
    pub(crate) fn adopt_probes(&self, uid: &str, shown: &PodStatus) {
        let runtime = self.cache.pod(uid);
        let lists = [&shown.init_container_statuses, &shown.container_statuses];
        for container in lists.into_iter().flatten().flatten() {
            let id = container.container_id.as_deref().and_then(|full| full.split_once("://"));
            let is_it = |id_here: &str| id == Some((self.runtime_name.as_str(), id_here));
            if let Some(running) = runtime.running().find(|running| is_it(&running.id.0)) {
                let started = container.started == Some(true);
                self.prober.adopt(uid, &running.id, started, container.ready);
            }
        }
    }

    /// Records an event about a container.
    pub(crate) fn container_event(
        &self,
        pod: &Pod,
        (role, name): (Role, &str),
        kind: EventType,
        reason: &str,
        message: &str,
    ) {
        self.recorder.event(pod.reference(&field_path(role, name)), kind, reason, message);
    }

    /// Records a warning about a pod.
    pub(crate) fn pod_warning(&self, pod: &Pod, reason: &str, message: &str) {
        self.recorder.event(pod.reference(""), EventType::Warning, reason, message);
    }

    /// Records a warning about the node itself.
    pub(crate) fn node_warning(&self, reason: &str, message: &str) {
        let name = self.config.node_name.clone();
        // The uid is the name, as the kubelet has it: so `kubectl describe node` finds it.
        let uid = name.clone();
        let (api_version, kind) = ("v1".into(), "Node".into());
        let node = Reference { api_version, kind, name, uid, ..Reference::default() };
        self.recorder.event(node, EventType::Warning, reason, message);
    }

    /// The variables that tell a pod where services are.
    pub(crate) fn service_variables(&self, pod: &Pod) -> Vec<(String, String)> {
        let links = pod.pod_spec().enable_service_links != Some(false);
        let mut services = self.services.list(Some("default"));
        if pod.namespace() != "default" && links {
            services.extend(self.services.list(Some(pod.namespace())));
        }
        service_variables(services.iter().map(|entry| &**entry), pod.namespace(), links)
    }

    /// Takes away from the node what belongs to a pod: volumes, devices. Does nothing when that is done.
    pub(crate) async fn unmount(&self, uid: &str) -> Result<(), String> {
        self.volumes.unmount(uid).await.map_err(|error| error.to_string())?;
        #[cfg(feature = "plugins")]
        self.devices.release(uid).map_err(|error| error.to_string())?;
        Ok(())
    }

    /// The folders of pods' logs, by uid.
    pub(crate) async fn log_folders(&self) -> io::Result<HashMap<String, PathBuf>> {
        let mut folders = HashMap::new();
        let mut entries = match tokio::fs::read_dir(self.config.logs_dir()).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(folders),
            entries => entries?,
        };
        while let Some(entry) = entries.next_entry().await? {
            // `<ns>_<name>_<uid>`; what has another name is none of ours.
            let name = entry.file_name().to_string_lossy().into_owned();
            if let [_, _, uid] = name.split('_').collect::<Vec<_>>()[..] {
                folders.insert(uid.to_owned(), entry.path());
            }
        }
        Ok(folders)
    }

    /// Removes the logs of a pod. Does nothing when there are none.
    pub(crate) async fn remove_logs(&self, uid: &str) -> io::Result<()> {
        match self.log_folders().await?.remove(uid) {
            Some(folder) => tokio::fs::remove_dir_all(folder).await,
            None => Ok(()),
        }
    }

    /// A pod that is worked on, as it is now.
    pub(crate) fn note(&self, pod: Arc<Pod>) {
        self.pods.lock().insert(pod.uid().to_owned(), pod);
        self.pods_changed.notify_waiters();
    }

    /// Gives back what a pod has of the node's cpu and memory; others may wait for it.
    pub(crate) fn release(&self, uid: &str) {
        self.pods.lock().remove(uid);
        self.pods_changed.notify_waiters();
        let waiting = self.ledger.lock().release(uid);
        waiting.iter().for_each(|uid| self.bells.ring(uid));
    }

    /// Looks at the runtime after something was done to it.
    pub(crate) async fn refresh(&self) {
        if let Err(error) = self.cache.refresh().await {
            // The next event or effect looks again.
            tracing::warn!(%error, "can't look at the container runtime");
        }
    }
}
