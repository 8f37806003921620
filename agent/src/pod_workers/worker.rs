//! The worker of one pod: wakes, looks, plans, acts.

use super::bells::Bell;
use super::effects::{self, Effect, Outcome};
use super::host::Host;
use super::memory::{Ending, FIRST_RETRY, Failure, Memory, Rejection, Volumes};
use super::messages;
use super::plan::{Input, Life, Plan, Step, life, plan};
use super::resize::{self, Allocated};
use super::snapshot::{PodRuntime, ended};
use super::status_sync::StatusSync;
use crate::pod::PodExt;
use crate::prober;
use crate::runtime::ContainerId;
use crate::static_pods::SOURCE;
use crate::status;
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use windlass_core::Object;
use windlass_core::apis::core::v1::Pod;
use windlass_core::component::Shutdown;
use windlass_core::events::EventType;

/// The first wait after a failure to make volumes.
const VOLUME_RETRY: Duration = Duration::from_millis(500);

/// The pod's object as it is now.
#[derive(Clone, Debug)]
pub(super) enum Latest {
    Is {
        pod: Arc<Object>,
        /// What the API shows it by: itself, or the mirror of a static pod.
        shown: Option<Arc<Object>>,
    },
    /// It is no more in the API.
    Gone,
}

impl Latest {
    pub(super) fn uid(&self) -> Option<String> {
        match self {
            Self::Is { pod, .. } => Some(pod.header().uid.to_string()),
            Self::Gone => None,
        }
    }

    /// The API's own pod, if it is no static one.
    pub(super) fn in_api(&self) -> Option<&Arc<Object>> {
        match self {
            Self::Is { pod, shown: Some(shown) } if Arc::ptr_eq(pod, shown) => Some(pod),
            _ => None,
        }
    }

    pub(super) fn shown(&self) -> Option<&Arc<Object>> {
        match self {
            Self::Is { shown, .. } => shown.as_ref(),
            Self::Gone => None,
        }
    }

    /// The pod, with the status that the API shows, and with its true source: anybody may annotate a pod of the API.
    /// Of a static pod that has come to its end the API tells nothing new: when it is met again, it runs again.
    pub(super) fn view(&self) -> windlass_core::Result<Pod> {
        let Self::Is { pod: object, shown } = self else { return Ok(Pod::default()) };
        let mut pod = object.view::<Pod>()?;
        match shown {
            Some(shown) if Arc::ptr_eq(shown, object) => {
                pod.metadata
                    .annotations
                    .get_or_insert_default()
                    .insert(SOURCE.into(), "api".into());
            }
            Some(mirror) => {
                let shown = mirror.view::<Pod>()?;
                pod.status = if status::is_shown_over(&shown) { None } else { shown.status };
            }
            None => {}
        }
        Ok(pod)
    }
}

pub(super) struct Worker {
    host: Arc<Host>,
    bell: Arc<Bell>,
    latest: watch::Receiver<Latest>,
    object: Option<Arc<Object>>,
    /// The pod as it is asked for.
    asked: Arc<Pod>,
    /// The pod with the resources that it was given.
    pod: Arc<Pod>,
    memory: Memory,
    status: StatusSync,
    effects: JoinSet<Outcome>,
    stops: HashMap<ContainerId, AbortHandle>,
    start: Option<CancellationToken>,
    probed: Vec<(ContainerId, prober::Kind)>,
    finish_retry: Option<(Instant, u32)>,
    finished: bool,
    /// An effect panicked, and others are still under way.
    broken: bool,
}

impl Worker {
    pub(super) fn new(
        host: Arc<Host>,
        (pod, allocated): (Pod, Allocated),
        mut latest: watch::Receiver<Latest>,
        rejected: Option<Rejection>,
    ) -> Self {
        let object = latest.borrow_and_update().shown().cloned();
        let old = pod.status.clone().unwrap_or_default();
        host.adopt_probes(pod.uid(), &old);
        let start_time = status::start_time(&old).unwrap_or_else(|| host.now());
        let start_time = Some(status::whole_seconds(start_time).0);
        let asked = Arc::new(pod);
        let pod = Arc::new(resize::with(Pod::clone(&asked), &allocated));
        host.note(pod.clone());
        let memory = Memory { rejected, start_time, status: old, allocated, ..Memory::default() };
        Self {
            bell: host.bells.hang(pod.uid()),
            host,
            latest,
            object,
            asked,
            pod,
            memory,
            status: StatusSync::default(),
            effects: JoinSet::new(),
            stops: HashMap::new(),
            start: None,
            probed: Vec::new(),
            finish_retry: None,
            finished: false,
            broken: false,
        }
    }

    /// Works until the pod is gone, or until shutdown, when all that runs goes on running. Returns the pod's uid.
    pub(super) async fn run(mut self, shutdown: Shutdown) -> String {
        let bell = self.bell.clone();
        while !self.finished {
            if self.broken && self.effects.is_empty() {
                // Which effect it was is not known; that none is under way is.
                self.memory.busy = super::memory::Busy::default();
                self.status.broke_off();
                (self.broken, self.start) = (false, None);
                self.stops.clear();
            }
            let wake = self.turn().await;
            let alarm = async {
                match wake {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = bell.rung() => {}
                changed = self.latest.changed() => match changed {
                    Ok(()) => self.look_at_object(),
                    Err(_) => break,
                },
                Some(done) = self.effects.join_next(), if !self.effects.is_empty() => match done {
                    Ok(outcome) => self.absorb(outcome),
                    Err(error) if error.is_cancelled() => {}
                    Err(error) => self.broke_off(&error),
                },
                () = alarm => {}
            }
        }
        self.pod.uid().to_owned()
    }

    fn look_at_object(&mut self) {
        let latest = self.latest.borrow_and_update().clone();
        if matches!(latest, Latest::Gone) {
            self.memory.gone = true;
            return;
        }
        match latest.view() {
            Ok(pod) => {
                let meta =
                    |pod: &Pod| (pod.metadata.labels.clone(), pod.metadata.annotations.clone());
                if meta(&pod) != meta(&self.pod) {
                    self.memory.volumes_stale();
                }
                self.asked = Arc::new(pod);
                self.is(resize::with(Pod::clone(&self.asked), &self.memory.allocated));
                self.object = latest.shown().cloned();
            }
            Err(error) => tracing::error!(pod = self.pod.full_name(), %error, "pod can't be read"),
        }
    }

    /// The pod is so now, for all who ask.
    fn is(&mut self, pod: Pod) {
        self.pod = Arc::new(pod);
        self.host.note(self.pod.clone());
    }

    /// Gives the pod what it asks for, where the node has it.
    fn allocate(&mut self) {
        self.memory.resize = None;
        let over = self.memory.rejected.is_some() || self.memory.ending.is_some();
        if over || !resize::differs(&self.asked, &self.memory.allocated) {
            return;
        }
        let done = self.host.ledger.lock().resize(&self.asked, &self.host.config);
        match done {
            Ok(waiting) => {
                self.memory.allocated = resize::asked(&self.asked);
                self.memory.resize_failure = None;
                self.is(Pod::clone(&self.asked));
                waiting.iter().for_each(|uid| self.host.bells.ring(uid));
            }
            Err(no) => self.memory.resize = Some(no),
        }
    }

    /// Looks, plans and acts once; when to look again at the latest.
    async fn turn(&mut self) -> Option<Instant> {
        if self.bell.references_changed() {
            self.memory.references_changed(self.host.now());
        }
        self.allocate();
        let runtime = self.host.cache.pod(self.pod.uid());
        self.read_messages(&runtime).await;
        let (plan, ends) = self.plan(&runtime);
        self.memory.status = plan.status.clone();
        self.probe(&runtime, ends).await;
        self.write_status();
        for step in plan.steps {
            self.act(step, &runtime);
        }
        let now = self.host.now();
        let from_plan = plan.wake.map(|at| {
            let wait = Duration::try_from(at.duration_since(now)).unwrap_or_default();
            Instant::now() + wait.max(Duration::from_millis(1))
        });
        let retry = self.finish_retry.map(|(at, _)| at).filter(|at| *at > Instant::now());
        [from_plan, self.status.retry_at(), retry].into_iter().flatten().min()
    }

    fn plan(&mut self, runtime: &PodRuntime) -> (Plan, bool) {
        let probes = self.host.prober.results(self.pod.uid());
        let host = self.host.clone();
        let pod = self.pod.clone();
        let now = host.now();
        let (host_ip, runtime_name) = (host.config.node_ip, host.runtime_name.as_str());
        let probes = &probes;
        let input =
            Input { pod: &pod, runtime, memory: &self.memory, probes, host_ip, runtime_name, now };
        let mut life = life(&input);
        let verdict = self.host.verdicts.of(pod.uid());
        let within = verdict.as_ref().map(|verdict| verdict.grace);
        if let Some(verdict) = verdict.filter(|_| life == Life::Runs) {
            life = Life::Ends(Some((verdict.reason.into(), verdict.message)));
        }
        let ends = life != Life::Runs;
        if let Life::Ends(why) = life {
            let new = Ending { since: now, why, grace: None };
            let ending = self.memory.ending.get_or_insert(new);
            if let Some(within) = within {
                ending.hurry(now, within, pod.grace());
            }
        }
        let input =
            Input { pod: &pod, runtime, memory: &self.memory, probes, host_ip, runtime_name, now };
        (plan(&input), ends)
    }

    async fn read_messages(&mut self, runtime: &PodRuntime) {
        for container in runtime.containers.iter().filter(|c| ended(c).is_some()) {
            if !self.memory.messages.contains_key(&container.id) {
                let words = messages::last_words(container).await;
                self.memory.messages.insert(container.id.clone(), words);
            }
        }
        let known = |id: &ContainerId| runtime.containers.iter().any(|c| c.id == *id);
        self.host.prober.retain(self.pod.uid(), known);
        self.memory.messages.retain(|id, _| known(id));
        self.memory.announced.retain(known);
        self.memory.again.retain(known);
    }

    async fn probe(&mut self, runtime: &PodRuntime, ends: bool) {
        let uid = self.pod.uid();
        let probes = self.host.prober.results(uid);
        let ip = match self.pod.pod_spec().host_network {
            Some(true) => Some(self.host.config.node_ip),
            _ => runtime.sandbox().and_then(|sandbox| sandbox.ips.first().copied()),
        };
        let mut targets =
            if ends { Vec::new() } else { prober::targets(&self.pod, runtime, &probes, ip) };
        // A container is probed once its start, with its hook, is over.
        targets.retain(|t| self.memory.busy.start.as_ref() != Some(&t.patient.container.name));
        let wanted: Vec<_> = targets.iter().map(|t| (t.patient.id.clone(), t.kind)).collect();
        if wanted != self.probed {
            self.host.prober.set(uid, targets).await;
            self.probed = wanted;
        }
    }

    fn write_status(&mut self) {
        let Some(object) = self.object.as_ref().filter(|_| !self.memory.gone) else { return };
        if let Some(patch) = self.status.next(&self.pod, object, &self.memory.status) {
            let (host, pod) = (self.host.clone(), self.pod.clone());
            self.effects.spawn(effects::write_status(host, pod, patch));
        }
    }

    fn effect(&self, runtime: &Arc<PodRuntime>) -> Effect {
        Effect { host: self.host.clone(), pod: self.pod.clone(), runtime: runtime.clone() }
    }

    fn act(&mut self, step: Step, runtime: &Arc<PodRuntime>) {
        let effect = self.effect(runtime);
        let busy = &mut self.memory.busy;
        match step {
            Step::MountVolumes => {
                busy.volumes = true;
                if let Volumes::Ready { stale, .. } = &mut self.memory.volumes {
                    *stale = false;
                }
                self.effects.spawn(effect.mount());
            }
            Step::RunSandbox { attempt } => {
                busy.sandbox = true;
                self.effects.spawn(effect.run_sandbox(attempt));
            }
            Step::Resize => {
                busy.resize = true;
                self.effects.spawn(effect.resize());
            }
            Step::RemoveSandbox(id) => {
                busy.sandbox_removals.insert(id.clone());
                self.effects.spawn(effect.remove_sandbox(id));
            }
            Step::Start { name, role, attempt, backoff } => {
                busy.start = Some(name.clone());
                let cancel = self.start.insert(CancellationToken::new()).clone();
                let failed = self.memory.waiting.get(&name).cloned();
                let start = super::start::Start { name, role, attempt, backoff, failed };
                self.effects.spawn(effect.start(start, cancel));
            }
            Step::CancelStart => {
                if let Some(cancel) = &self.start {
                    cancel.cancel();
                }
            }
            Step::Stop { id, name, role, until, why } => {
                if why.starts_again() {
                    self.memory.again.insert(id.clone());
                }
                let hurried = busy.stops.insert(id.clone(), until).is_some();
                if let Some(old) = self.stops.remove(&id) {
                    old.abort();
                }
                let stop = super::stop::Stop { id: id.clone(), name, role, until, why, hurried };
                let handle = self.effects.spawn(effect.stop(stop));
                self.stops.insert(id, handle);
            }
            Step::RemoveContainer(id) => {
                busy.removals.insert(id.clone());
                self.effects.spawn(effect.remove_container(id));
            }
            Step::AnnounceBackoff { id, name, role } => {
                let message = format!(
                    "Back-off restarting failed container {name} in pod {}",
                    self.pod.full_name()
                );
                let kind = EventType::Warning;
                self.host.container_event(&self.pod, (role, &name), kind, "BackOff", &message);
                self.memory.announced.insert(id);
            }
            Step::Cleanup => {
                if self.finish_retry.is_none_or(|(at, _)| at <= Instant::now()) {
                    busy.cleanup = true;
                    self.effects.spawn(effect.clean_up());
                }
            }
            Step::Finish => self.finish(effect),
        }
    }

    /// The last status must be in the API before the pod leaves it.
    fn finish(&mut self, effect: Effect) {
        let told = self.memory.gone || self.status.in_sync();
        let waits = self.finish_retry.is_some_and(|(at, _)| at > Instant::now());
        if told && !waits {
            self.memory.busy.finish = true;
            self.effects.spawn(effect.finish(self.memory.gone));
        }
    }

    fn absorb(&mut self, outcome: Outcome) {
        let now = self.host.now();
        let memory = &mut self.memory;
        match outcome {
            Outcome::Volumes(result) => {
                memory.busy.volumes = false;
                self.volumes_made(result, now);
            }
            Outcome::Sandbox(result) => {
                memory.busy.sandbox = false;
                memory.sandbox_failure = result.err().map(|message| {
                    Failure::after(
                        memory.sandbox_failure.as_ref(),
                        now,
                        Duration::from_secs(1),
                        message,
                    )
                });
            }
            Outcome::Resized(result) => {
                memory.busy.resize = false;
                let old = memory.resize_failure.take();
                memory.resize_failure = result
                    .err()
                    .map(|message| Failure::after(old.as_ref(), now, FIRST_RETRY, message));
            }
            Outcome::SandboxRemoved(id) => drop(memory.busy.sandbox_removals.remove(&id)),
            Outcome::Started { name, result } => {
                memory.busy.start = None;
                self.start = None;
                match result {
                    Ok(()) => drop(memory.waiting.remove(&name)),
                    Err(waiting) => drop(memory.waiting.insert(name, waiting)),
                }
            }
            Outcome::Stopped(id) => {
                memory.busy.stops.remove(&id);
                self.stops.remove(&id);
            }
            Outcome::Removed(id) => drop(memory.busy.removals.remove(&id)),
            Outcome::Cleaned(result) => {
                memory.busy.cleanup = false;
                memory.cleaned = result.is_ok();
                match result {
                    Ok(()) => self.host.release(self.pod.uid()),
                    Err(error) => self.retry_end(&error),
                }
            }
            // A static pod needs no mirror.
            Outcome::Status(result) => {
                memory.gone |= self.status.done(result) && !self.pod.is_static();
            }
            Outcome::Finished(Ok(())) => self.finished = true,
            Outcome::Finished(Err(error)) => {
                memory.busy.finish = false;
                self.retry_end(&error);
            }
        }
    }

    fn volumes_made(&mut self, result: Result<Option<Timestamp>, String>, now: Timestamp) {
        let stale = matches!(self.memory.volumes, Volumes::Ready { stale: true, .. });
        self.memory.volumes = match result {
            Ok(renew_at) => Volumes::Ready { stale, renew_at },
            Err(message) => {
                self.host.pod_warning(&self.pod, "FailedMount", &message);
                let old = self.memory.volumes.failure();
                let failure = Failure::after(old, now, VOLUME_RETRY, message);
                match self.memory.volumes {
                    // What is mounted already stays; the rest is tried again later.
                    Volumes::Ready { .. } => {
                        Volumes::Ready { stale: false, renew_at: Some(now + FIRST_RETRY) }
                    }
                    _ => Volumes::Failed(failure),
                }
            }
        };
    }

    fn retry_end(&mut self, error: &str) {
        let failures = self.finish_retry.map_or(0, |(_, failures)| failures) + 1;
        tracing::warn!(pod = self.pod.full_name(), error, "pod not taken away, will retry");
        let wait = super::memory::retry_after(failures, Duration::from_secs(1));
        self.finish_retry = Some((Instant::now() + wait, failures));
    }

    /// An effect panicked: what it did is found out from the runtime.
    fn broke_off(&mut self, error: &tokio::task::JoinError) {
        tracing::error!(pod = self.pod.full_name(), %error, "an effect broke off");
        self.broken = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pod_of_the_api_is_not_static_whatever_it_says() {
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "d", "uid": "u",
            "resourceVersion": "1", "annotations": {SOURCE: "file"}}});
        let pod = Arc::new(Object::from_wire(pod.to_string().into()).expect("a pod"));
        let view = |shown| Latest::Is { pod: pod.clone(), shown }.view().expect("it can be read");
        assert!(!view(Some(pod.clone())).is_static());
        assert!(view(None).is_static());
    }

    #[test]
    fn the_end_that_a_mirror_tells_of_is_of_an_earlier_life() {
        let object = |extra: serde_json::Value| {
            let mut pod = json!({"apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": "p", "namespace": "d", "uid": "u", "resourceVersion": "1"}});
            pod["status"] = extra;
            Arc::new(Object::from_wire(pod.to_string().into()).expect("a pod"))
        };
        let pod = object(json!({}));
        let view = |status| Latest::Is { pod: pod.clone(), shown: Some(object(status)) }.view();
        let failed = view(json!({"phase": "Failed", "reason": "Evicted"})).expect("it can be read");
        assert_eq!(failed.status, None);
        let runs = view(json!({"phase": "Running"})).expect("it can be read").status;
        assert_eq!(runs.and_then(|status| status.phase).as_deref(), Some("Running"));
    }
}
