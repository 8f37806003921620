//! Looks, decides, and tells who must go.

use super::admit::is_critical;
use super::limits::{self, Disk};
use super::plan::{self, Crossed, Decision};
use super::rank::{self, PodUsage, Use};
use super::{EVICTED, Verdict, Verdicts, message, observe};
use crate::config::Config;
use crate::pod::PodExt;
use crate::pod_workers::Host;
use crate::resources::{amount, requests};
use crate::runtime::Runtime;
use crate::stats::{PodStats, Stats};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use windlass_core::apis::core::v1::Pod;
use windlass_core::clock::Clock;
use windlass_core::component::Shutdown;

/// How often the node is looked at, as the kubelet does.
const PERIOD: Duration = Duration::from_secs(10);
/// How long one pod that goes may take before another one is chosen.
const ONE_AT_A_TIME: Duration = Duration::from_secs(30);
/// What a pod that goes at once is left.
const AT_ONCE: Duration = Duration::from_secs(1);

/// Defends the node.
pub(crate) struct Manager {
    config: Arc<Config>,
    clock: Arc<dyn Clock>,
    runtime: Arc<dyn Runtime>,
    verdicts: Arc<Verdicts>,
    memory: plan::Memory,
    /// The pod that went last for want of something, and when.
    last: Option<(String, Timestamp)>,
}

// === impl Manager ===

impl Manager {
    pub(crate) fn new(
        config: Arc<Config>,
        clock: Arc<dyn Clock>,
        runtime: Arc<dyn Runtime>,
        verdicts: Arc<Verdicts>,
    ) -> Self {
        Self { config, clock, runtime, verdicts, memory: plan::Memory::default(), last: None }
    }

    /// Looks at the node, and says how it is.
    pub(crate) async fn look(&mut self) -> Option<Crossed> {
        let root = self.config.root_dir.clone();
        let images = self.runtime.image_root().await;
        let look = move || observe::levels(&root, images.as_deref());
        let levels = tokio::task::spawn_blocking(look).await;
        let levels = levels.unwrap_or_else(|error| {
            tracing::error!(%error, "the look at the node broke off");
            plan::Levels::new()
        });
        let (eviction, now) = (&self.config.eviction, self.clock.now());
        let Decision { pressure, act } = plan::decide(&mut self.memory, eviction, &levels, now);
        self.verdicts.tell(pressure);
        act
    }

    /// Defends the node until shutdown.
    pub(crate) async fn run(mut self, host: Arc<Host>, shutdown: Shutdown) {
        while shutdown.run_until_cancelled(tokio::time::sleep(PERIOD)).await.is_some() {
            let act = self.look().await;
            let pods = candidates(&host);
            if limits(&host, &pods).await {
                continue;
            }
            let Some(crossed) = act.filter(|_| !self.one_goes(&host)) else { continue };
            let Some(crossed) = self.reclaim(&host, crossed).await else { continue };
            self.relieve(&host, &pods, &crossed).await;
        }
    }

    /// Whether the pod that was chosen last is still going.
    fn one_goes(&self, host: &Host) -> bool {
        let recent = |at: Timestamp| at + ONE_AT_A_TIME > self.clock.now();
        self.last.as_ref().is_some_and(|(uid, at)| recent(*at) && !host.cache.pod(uid).is_quiet())
    }

    /// Takes away images that nothing uses; what is crossed then still.
    async fn reclaim(&mut self, host: &Host, crossed: Crossed) -> Option<Crossed> {
        let signal = crossed.threshold.signal;
        if !signal.is_disk() {
            return Some(crossed);
        }
        let Some(images) = self.runtime.image_root().await else { return Some(crossed) };
        if !signal.is_images() && !observe::same_disk(&images, &self.config.root_dir) {
            return Some(crossed);
        }
        match host.image_gc.delete_unused(host).await {
            Ok(0) => Some(crossed),
            Ok(_) => self.look().await,
            Err(error) => {
                tracing::warn!(%error, "not all images that nothing uses could be removed");
                self.look().await
            }
        }
    }

    async fn relieve(&mut self, host: &Host, pods: &[Arc<Pod>], crossed: &Crossed) {
        let signal = crossed.threshold.signal;
        let stats = match Stats::read(host).await {
            Ok(stats) => stats,
            Err(error) => return tracing::warn!(%error, "can't see what pods use"),
        };
        let mut all = Vec::new();
        for pod in pods {
            let disk = match signal {
                signal if signal.is_disk() => measure(host, pod).await,
                _ => Disk::default(),
            };
            let stats = stats.pods.iter().find(|stats| stats.pod.uid == pod.uid());
            all.push(usage_of(pod, stats, &disk));
        }
        let Some(first) = rank::first(signal, &all) else {
            return tracing::warn!(
                signal = signal.as_str(),
                "the node runs short, and no pod can go"
            );
        };
        let Some(pod) = pods.iter().find(|pod| pod.uid() == first.uid) else { return };
        let grace = match crossed.threshold.grace {
            Some(_) => pod.grace().min(self.config.eviction.max_pod_grace).max(AT_ONCE),
            None => AT_ONCE,
        };
        self.last = Some((first.uid.clone(), self.clock.now()));
        evict(host, pod, message::low(crossed, first), grace);
    }
}

/// The pods that run here and are not already told to go.
fn candidates(host: &Host) -> Vec<Arc<Pod>> {
    let pods = host.pods.lock();
    let stays = |pod: &&Arc<Pod>| {
        !crate::status::is_shown_over(pod)
            && pod.deletion().is_none()
            && host.verdicts.of(pod.uid()).is_none()
    };
    pods.values().filter(stays).cloned().collect()
}

/// Tells those to go that use more of the disk than they may; whether there was one.
async fn limits(host: &Host, pods: &[Arc<Pod>]) -> bool {
    let mut any = false;
    for pod in pods.iter().filter(|pod| limits::limited(pod) && !is_critical(pod)) {
        let disk = measure(host, pod).await;
        if let Some(message) = limits::exceeded(pod, &disk) {
            evict(host, pod, message, AT_ONCE);
            any = true;
        }
    }
    any
}

async fn measure(host: &Host, pod: &Pod) -> Disk {
    let own = host.config.pod_dir(pod.uid());
    let logs = host.config.pod_logs_dir(pod.namespace(), pod.name(), pod.uid());
    let measured = tokio::task::spawn_blocking(move || observe::disk(&own, &logs)).await;
    measured.unwrap_or_else(|error| {
        tracing::error!(%error, "the look at a pod's files broke off");
        Disk::default()
    })
}

fn evict(host: &Host, pod: &Pod, message: String, grace: Duration) {
    tracing::warn!(pod = pod.full_name(), message, "evicting a pod");
    host.pod_warning(pod, "Evicted", &message);
    host.verdicts.set(pod.uid(), Verdict { reason: EVICTED, message, grace });
    host.bells.ring(pod.uid());
}

/// What one container asks for.
fn requested(pod: &Pod, name: &str, what: &str) -> i64 {
    let container = pod.pod_spec().containers.iter().find(|c| c.name == name);
    let list = container.and_then(|c| c.resources.as_ref()).map(|r| &r.requests);
    list.and_then(|list| amount(list, what)).map_or(0, |quantity| quantity.units())
}

/// What a pod uses beside what it asks for.
fn usage_of(pod: &Pod, stats: Option<&PodStats>, disk: &Disk) -> PodUsage {
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let spec = pod.pod_spec();
    let storage = spec.containers.iter().map(|c| requested(pod, &c.name, "ephemeral-storage"));
    let containers = stats.iter().flat_map(|stats| &stats.containers).map(|container| {
        let used = number(container.usage.working_set);
        let requested = requested(pod, &container.name, "memory");
        (container.name.clone(), Use { used, requested })
    });
    let memory = stats.map_or(0, |stats| number(stats.usage.working_set));
    PodUsage {
        uid: pod.uid().to_owned(),
        priority: spec.priority.unwrap_or_default(),
        critical: is_critical(pod),
        memory: Use { used: memory, requested: requests(pod).memory },
        disk: Use { used: disk.total(), requested: storage.sum() },
        inodes: disk.inodes,
        processes: stats.map_or(0, |stats| number(stats.processes)),
        containers: containers.collect(),
    }
}
