//! The one task that owns the timer and starts the probes.

use super::metrics::Counts;
use super::state::Counter;
use super::{Command, Kind, Notify, PodProbes, Target};
use crate::handlers::{self, Outcome};
use crate::runtime::{ContainerId, Runtime};
use futures::StreamExt;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::time::{DelayQueue, delay_queue};
use windlass_core::clock::Env;
use windlass_core::events::{EventType, Recorder};

/// So many probes are made at once.
const AT_ONCE: usize = 64;

type Place = (ContainerId, Kind);

pub(super) struct Task {
    runtime: Arc<dyn Runtime>,
    env: Env,
    recorder: Recorder,
    notify: Notify,
    found: Found,
    pods: HashMap<String, Vec<Place>>,
    probes: HashMap<Place, Running>,
    timer: DelayQueue<Place>,
    made: JoinSet<(Place, Instant, Outcome)>,
    permits: Arc<Semaphore>,
}

/// Where it is told what was found.
pub(super) struct Found {
    pub(super) results: Arc<Mutex<HashMap<String, PodProbes>>>,
    pub(super) counts: Arc<Counts>,
}

struct Running {
    uid: String,
    target: Arc<Target>,
    counter: Counter,
    timer: Option<delay_queue::Key>,
}

impl Task {
    pub(super) fn new(
        runtime: Arc<dyn Runtime>,
        env: Env,
        recorder: Recorder,
        notify: Notify,
        found: Found,
    ) -> Self {
        Self {
            runtime,
            env,
            recorder,
            notify,
            found,
            pods: HashMap::new(),
            probes: HashMap::new(),
            timer: DelayQueue::new(),
            made: JoinSet::new(),
            permits: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        loop {
            tokio::select! {
                command = commands.recv() => match command {
                    Some(Command::Set { uid, targets }) => self.set(uid, targets),
                    None => return,
                },
                Some(due) = self.timer.next(), if !self.timer.is_empty() => self.probe(due.into_inner()),
                Some(made) = self.made.join_next(), if !self.made.is_empty() => match made {
                    Ok((place, started, outcome)) => self.take(place, started, outcome),
                    Err(error) => tracing::error!(%error, "a probe broke off"),
                },
            }
        }
    }

    fn set(&mut self, uid: String, targets: Vec<Target>) {
        let wanted: Vec<Place> = targets.iter().map(|t| (t.patient.id.clone(), t.kind)).collect();
        for gone in self.pods.remove(&uid).unwrap_or_default() {
            if !wanted.contains(&gone)
                && let Some(running) = self.probes.remove(&gone)
                && let Some(key) = running.timer
            {
                self.timer.try_remove(&key);
            }
        }
        for (place, target) in wanted.iter().zip(targets) {
            if !self.probes.contains_key(place) {
                self.add(uid.clone(), place.clone(), target);
            }
        }
        if !wanted.is_empty() {
            self.pods.insert(uid, wanted);
        }
    }

    fn add(&mut self, uid: String, place: Place, target: Target) {
        let first = target.started_at + target.timing.initial_delay;
        let wait = first.duration_since(self.env.clock.now());
        let wait = std::time::Duration::try_from(wait).unwrap_or_default();
        let timer = Some(self.timer.insert(place.clone(), wait));
        let running = Running { uid, target: Arc::new(target), counter: Counter::default(), timer };
        self.probes.insert(place, running);
    }

    fn probe(&mut self, place: Place) {
        let Some(running) = self.probes.get_mut(&place) else { return };
        running.timer = None;
        let (runtime, target) = (self.runtime.clone(), running.target.clone());
        let (permits, started) = (self.permits.clone(), Instant::now());
        self.made.spawn(async move {
            let _permit = permits.acquire_owned().await;
            let timeout = target.timing.timeout;
            let outcome = handlers::run(&*runtime, &target.action, &target.patient, timeout).await;
            (place, started, outcome)
        });
    }

    fn take(&mut self, place: Place, started: Instant, outcome: Outcome) {
        let Some(running) = self.probes.get_mut(&place) else { return };
        let target = running.target.clone();
        self.found.counts.add(&running.uid, &target, outcome.is_ok());
        if let Err(why) = &outcome {
            let message = format!("{} probe failed: {why}", target.kind.as_str());
            self.recorder.event(target.about.clone(), EventType::Warning, "Unhealthy", &message);
        }
        if let Some(verdict) = running.counter.take(outcome.is_ok(), &target.timing) {
            let mut results = self.found.results.lock();
            let pod = results.entry(running.uid.clone()).or_default();
            pod.set(&place.0, place.1, verdict);
            drop(results);
            (self.notify)(&running.uid);
        }
        if !running.counter.is_final(target.kind) {
            let next = (started + target.timing.period).max(Instant::now());
            running.timer = Some(self.timer.insert_at(place, next));
        }
    }
}
