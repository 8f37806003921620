//! Gives each pod a worker, and takes away what no pod owns.

use super::host::Host;
use super::resize;
use super::worker::{Latest, Worker};
use crate::eviction;
use crate::pod::PodExt;
use crate::static_pods::{MirrorStep, Mirrors, StaticPods, is_mirror};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};
use windlass_core::Object;
use windlass_core::apis::core::v1::{Node, Pod};
use windlass_core::cache::{HeaderOnly, Informer};
use windlass_core::client::{ClientExt, Key};
use windlass_core::component::Shutdown;
use windlass_core::controller::ObjectKey;
use windlass_core::scheme::NODES;
use windlass_core::workqueue::{Backoff, WorkQueue};

/// When to try again to take away what earlier pods have left.
const ORPHANS: Backoff = Backoff { first: Duration::from_secs(1), max: Duration::from_secs(60) };

/// The workers of this node's pods.
pub(crate) struct PodWorkers {
    host: Arc<Host>,
    pods: Arc<Informer<HeaderOnly>>,
    fixed: Arc<StaticPods>,
    mirrors: Mirrors,
    queue: Arc<WorkQueue<ObjectKey>>,
    workers: HashMap<String, Handle>,
    /// The uid that is worked on under a name.
    names: HashMap<ObjectKey, String>,
    running: JoinSet<String>,
    /// The mirrors that are being made or removed.
    mirrored: JoinSet<()>,
    /// Which worker works on which uid, should it break off.
    tasks: HashMap<Id, String>,
}

struct Handle {
    object: watch::Sender<Latest>,
    key: ObjectKey,
}

impl PodWorkers {
    pub(crate) fn new(
        host: Arc<Host>,
        pods: Arc<Informer<HeaderOnly>>,
        fixed: Arc<StaticPods>,
        mirrors: Mirrors,
    ) -> Self {
        let queue = Arc::new(WorkQueue::default());
        let adding = queue.clone();
        pods.on_change(move |change| adding.add(ObjectKey::of(change.object())));
        Self {
            host,
            pods,
            fixed,
            mirrors,
            queue,
            workers: HashMap::new(),
            names: HashMap::new(),
            running: JoinSet::new(),
            mirrored: JoinSet::new(),
            tasks: HashMap::new(),
        }
    }

    /// Works until shutdown. What runs goes on running.
    pub(crate) async fn run(mut self, shutdown: Shutdown) {
        let synced = self.pods.synced();
        if shutdown.run_until_cancelled(synced.wait()).await.is_none() {
            return;
        }
        let (fixed, queue, stop) = (self.fixed.clone(), self.queue.clone(), shutdown.clone());
        let follow = async move { fixed.follow(|key| queue.add(key), stop).await };
        let following = tokio::spawn(follow).abort_handle();
        // What is here before the first pod starts is of an earlier life.
        let left = what_is_left(&self.host).await;
        for entry in self.pods.list(None) {
            self.dispatch(&ObjectKey::of(&entry.object), &shutdown).await;
        }
        let (queue, fixed) = (self.queue.clone(), self.fixed.clone());
        let mut orphans = None;
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                Some(key) = queue.next() => {
                    self.dispatch(&key, &shutdown).await;
                    queue.done(&key);
                }
                Some(ended) = self.running.join_next_with_id(), if !self.running.is_empty() => {
                    self.ended(ended);
                }
                Some(_) = self.mirrored.join_next(), if !self.mirrored.is_empty() => {}
                // What static pods have is no orphan: it stays until they are known.
                () = fixed.read(), if orphans.is_none() => {
                    self.meet_static_pods(&shutdown).await;
                    let left = left.iter().filter(|uid| !self.workers.contains_key(*uid));
                    let removal = remove_orphans(self.host.clone(), left.cloned().collect());
                    orphans = Some(tokio::spawn(removal).abort_handle());
                }
            }
        }
        [orphans, Some(following)].into_iter().flatten().for_each(|task| task.abort());
        while self.running.join_next().await.is_some() {}
    }

    /// It is known now which static pods there are, and so which mirrors show none.
    async fn meet_static_pods(&mut self, shutdown: &Shutdown) {
        let seen = self.pods.list(None);
        let mirrors = seen.iter().filter(|entry| is_mirror(&entry.object));
        let mirrors = mirrors.map(|entry| ObjectKey::of(&entry.object));
        let keys: BTreeSet<_> = mirrors.chain(self.fixed.keys()).collect();
        for key in keys {
            self.dispatch(&key, shutdown).await;
        }
    }

    /// The pod of this name: a static one with what the API shows of it, or the API's own.
    fn find(&mut self, key: &ObjectKey) -> Option<Latest> {
        let seen = self.pods.get(&key.namespace, &key.name).map(|entry| entry.object.clone());
        let fixed = self.fixed.get(key);
        let mirror = seen.clone().filter(|seen| is_mirror(seen));
        let step = match (&fixed, &mirror) {
            (None, None) => {
                return seen.map(|seen| Latest::Is { shown: Some(seen.clone()), pod: seen });
            }
            // A pod of the API has its name: it runs without a mirror.
            (Some(_), None) if seen.is_some() => None,
            // Whether it shows a pod is not known yet.
            (None, Some(_)) if !self.fixed.are_known() => None,
            _ => MirrorStep::of(fixed.as_deref(), mirror.as_deref()),
        };
        // One that must go shows something else.
        let shown = mirror.filter(|_| step.is_none());
        if let Some(step) = step {
            self.mirror(key, step, fixed.clone());
        }
        fixed.map(|pod| Latest::Is { pod, shown })
    }

    fn mirror(&mut self, key: &ObjectKey, step: MirrorStep, pod: Option<Arc<Object>>) {
        let (mirrors, queue, key) = (self.mirrors.clone(), self.queue.clone(), key.clone());
        self.mirrored.spawn(async move {
            if let Err(error) = mirrors.take(&key, step, pod.as_deref()).await {
                tracing::warn!(pod = %key, %error, "mirror of a static pod not written, will retry");
                queue.add_rate_limited(key);
            }
        });
    }

    async fn dispatch(&mut self, key: &ObjectKey, shutdown: &Shutdown) {
        let latest = self.find(key);
        let uid = latest.as_ref().and_then(Latest::uid);
        let known = self.names.get(key).cloned();
        if let Some(old) = known.filter(|old| Some(old) != uid.as_ref())
            && let Some(handle) = self.workers.get(&old)
        {
            handle.object.send_replace(Latest::Gone);
            self.names.remove(key);
        }
        let (Some(latest), Some(uid)) = (latest, uid) else { return };
        if let Some(handle) = self.workers.get(&uid) {
            if latest.in_api().is_some_and(|pod| is_over(pod)) {
                // It stays in the API, perhaps for long, but takes nothing of the node any more. A mirror may still
                // tell of an earlier life of its pod.
                self.host.release(&uid);
            }
            handle.object.send_replace(latest);
            return;
        }
        // The files of a static pod may name the same folders and ports: its old form ends first, and tells then.
        let before = |handle: &Handle| handle.key == *key;
        if self.fixed.get(key).is_some() && self.workers.values().any(before) {
            return;
        }
        match latest.view() {
            Ok(pod) => {
                self.names.insert(key.clone(), uid.clone());
                self.start(key, latest, pod, shutdown).await;
            }
            Err(error) => tracing::error!(pod = %key, %error, "pod can't be read"),
        }
    }

    async fn start(&mut self, key: &ObjectKey, latest: Latest, pod: Pod, shutdown: &Shutdown) {
        let uid = pod.uid().to_owned();
        let allocated = resize::known(&pod);
        // It may ask for something else by now, which is another matter.
        let given = resize::with(pod.clone(), &allocated);
        let adopted = !self.host.cache.pod(&uid).sandboxes.is_empty();
        let over = crate::status::is_shown_over(&pod) || pod.deletion().is_some();
        let labels = if adopted || over { BTreeMap::new() } else { self.node_labels(&pod).await };
        let config = &self.host.config;
        let mut ledger = self.host.ledger.lock();
        let pressed = || eviction::admit(&given, &self.host.verdicts);
        let rejection = if over {
            None
        } else if adopted {
            ledger.admit(&given, adopted, config, &labels)
        } else {
            pressed().or_else(|| ledger.admit(&given, adopted, config, &labels))
        };
        drop(ledger);
        if let Some(rejection) = &rejection {
            self.host.pod_warning(&pod, &rejection.reason, &rejection.message);
        }
        let (object, receiver) = watch::channel(latest);
        let worker = Worker::new(self.host.clone(), (pod, allocated), receiver, rejection);
        let task = self.running.spawn(worker.run(shutdown.clone()));
        self.tasks.insert(task.id(), uid.clone());
        self.workers.insert(uid, Handle { object, key: key.clone() });
    }

    /// The Node's labels, for pods that select by them.
    async fn node_labels(&self, pod: &Pod) -> BTreeMap<String, String> {
        if pod.pod_spec().node_selector.iter().flatten().next().is_none() {
            return BTreeMap::new();
        }
        let key = Key::cluster(NODES, &self.host.config.node_name);
        match self.host.client.get_as::<Node>(&key).await {
            Ok(node) => node.metadata.labels.unwrap_or_default(),
            Err(error) => {
                // The scheduler has looked at them already.
                tracing::warn!(%error, "can't read the Node's labels");
                pod.pod_spec().node_selector.clone().unwrap_or_default()
            }
        }
    }

    fn ended(&mut self, ended: Result<(Id, String), JoinError>) {
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        let Some(uid) = self.tasks.remove(&id) else { return };
        let key = self.workers.get(&uid).map(|handle| handle.key.clone());
        self.remove(&uid);
        if let Some(key) = key.as_ref().filter(|key| self.fixed.get(key).is_some()) {
            self.queue.add(key.clone());
        }
        if let (Err(error), Some(key)) = (ended, key) {
            tracing::error!(pod = %key, %error, "a pod worker broke off; another takes its place");
            self.queue.add_rate_limited(key);
        }
    }

    fn remove(&mut self, uid: &str) {
        self.host.bells.take_down(uid);
        self.host.verdicts.forget(uid);
        self.host.release(uid);
        if let Some(handle) = self.workers.remove(uid)
            && self.names.get(&handle.key).is_some_and(|named| named == uid)
        {
            self.names.remove(&handle.key);
        }
    }
}

#[derive(Deserialize)]
struct PhaseView {
    #[serde(default)]
    status: Phase,
}

#[derive(Default, Deserialize)]
struct Phase {
    phase: Option<String>,
}

/// Whether the pod's containers have ended for good.
fn is_over(object: &Object) -> bool {
    match object.view::<PhaseView>() {
        Ok(pod) => pod.status.phase.as_deref().is_some_and(crate::status::is_terminal),
        Err(error) => {
            tracing::error!(pod = object.name(), %error, "pod's phase can't be read");
            false
        }
    }
}

/// The uids of pods of which there is something on this node.
async fn what_is_left(host: &Host) -> HashSet<String> {
    let mut uids: HashSet<String> = host.cache.uids().into_iter().collect();
    match host.volumes.leftovers().await {
        Ok(folders) => uids.extend(folders),
        Err(error) => tracing::warn!(%error, "can't look for folders of earlier pods"),
    }
    match host.log_folders().await {
        Ok(folders) => uids.extend(folders.into_keys()),
        Err(error) => tracing::warn!(%error, "can't look for logs of earlier pods"),
    }
    uids
}

/// Takes away what an earlier life of the agent has left of pods that are no more. What can't be taken away yet, for
/// want of a storage driver that is not back or the like, is tried again.
async fn remove_orphans(host: Arc<Host>, mut uids: HashSet<String>) {
    let mut failures = 0;
    loop {
        let mut left = HashSet::new();
        for uid in uids {
            if let Err(error) = remove_orphan(&host, &uid).await {
                tracing::warn!(uid, error, "can't remove what is left of a pod, will retry");
                left.insert(uid);
            }
        }
        host.refresh().await;
        if left.is_empty() {
            return;
        }
        tokio::time::sleep(ORPHANS.wait(failures)).await;
        (uids, failures) = (left, failures + 1);
    }
}

async fn remove_orphan(host: &Host, uid: &str) -> Result<(), String> {
    tracing::info!(uid, "removing what is left of a pod that is no more");
    for sandbox in &host.cache.pod(uid).sandboxes {
        host.runtime.remove_sandbox(&sandbox.id).await.map_err(|error| error.to_string())?;
    }
    host.unmount(uid).await?;
    host.remove_logs(uid).await.map_err(|error| error.to_string())
}
