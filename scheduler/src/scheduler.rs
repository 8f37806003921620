//! The scheduler as a component: follows pods and nodes, runs cycles, binds.

mod failure;
mod state;

use crate::framework::{Cycle, Placement, Profile};
use crate::plugins::default_profile;
use crate::queue::QueuedPod;
use async_trait::async_trait;
use failure::Failures;
use state::State;
use std::sync::Arc;
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;
use tokio::time::Instant;
use windlass_core::cache::{HeaderOnly, Informer, InformerFactory};
use windlass_core::clock::Env;
use windlass_core::component::{BoxError, Component, Ready, Shutdown};
use windlass_core::events::{EventType, Recorder, Reference};
use windlass_core::scheme;

/// So many bindings travel at once.
const BINDINGS: usize = 64;

/// Places pods on nodes.
pub struct Scheduler {
    profile: Arc<Profile>,
    informers: InformerFactory,
    env: Env,
    recorder: Recorder,
}

/// Makes a [`Scheduler`].
pub struct SchedulerBuilder {
    informers: InformerFactory,
    recorder: Recorder,
    env: Env,
    profile: Option<Profile>,
}

/// What the loop and the informers' handlers share.
struct Shared {
    state: parking_lot::Mutex<State>,
    wake: Notify,
}

struct Running {
    shared: Arc<Shared>,
    profile: Arc<Profile>,
    env: Env,
    recorder: Recorder,
    failures: Failures,
    slots: Arc<Semaphore>,
}

// === impl Scheduler ===

impl Scheduler {
    /// A scheduler that reads and binds through the factory's client.
    #[must_use]
    pub fn builder(informers: InformerFactory, recorder: Recorder, env: Env) -> SchedulerBuilder {
        SchedulerBuilder { informers, recorder, env, profile: None }
    }

    fn start(&self) -> (Arc<Shared>, [Ready; 2]) {
        let state = State::new(self.profile.clone());
        let shared = Arc::new(Shared { state: state.into(), wake: Notify::new() });
        let nodes: Arc<Informer<HeaderOnly>> = self.informers.informer(scheme::NODES);
        let pods: Arc<Informer<HeaderOnly>> = self.informers.informer(scheme::PODS);
        let seen = shared.clone();
        nodes.on_change(move |change| seen.tell(|state, now| state.node_changed(change, now)));
        let seen = shared.clone();
        pods.on_change(move |change| seen.tell(|state, now| state.pod_changed(change, now)));
        (shared, [nodes.synced(), pods.synced()])
    }
}

impl SchedulerBuilder {
    /// With other plugins than the default ones.
    #[must_use]
    pub fn profile(mut self, profile: Profile) -> Self {
        self.profile = Some(profile);
        self
    }

    /// The scheduler.
    #[must_use]
    pub fn build(self) -> Scheduler {
        let default = || default_profile(self.informers.client());
        let profile = Arc::new(self.profile.unwrap_or_else(default));
        let Self { informers, recorder, env, .. } = self;
        Scheduler { profile, informers, env, recorder }
    }
}

#[async_trait]
impl Component for Scheduler {
    fn name(&self) -> &str {
        "scheduler"
    }

    async fn run(self: Box<Self>, ready: Ready, shutdown: Shutdown) -> Result<(), BoxError> {
        let (shared, synced) = self.start();
        let caches = async {
            synced[0].wait().await;
            synced[1].wait().await;
        };
        if shutdown.run_until_cancelled(caches).await.is_none() {
            return Ok(());
        }
        ready.set();
        let failures =
            Failures::new(self.informers.client(), self.recorder.clone(), self.env.clone());
        let running = Arc::new(Running {
            shared,
            profile: self.profile,
            env: self.env,
            recorder: self.recorder,
            failures,
            slots: Arc::new(Semaphore::new(BINDINGS)),
        });
        // Bindings under way end with the set, when the process does.
        let mut bindings = JoinSet::new();
        shutdown.run_until_cancelled(running.schedule_all(&mut bindings)).await;
        Ok(())
    }
}

// === impl Shared ===

impl Shared {
    fn tell(&self, change: impl FnOnce(&mut State, Instant)) {
        change(&mut self.state.lock(), Instant::now());
        self.wake.notify_one();
    }
}

// === impl Running ===

impl Running {
    async fn schedule_all(self: &Arc<Self>, bindings: &mut JoinSet<()>) {
        loop {
            let woken = self.shared.wake.notified();
            while let Some(queued) = self.next() {
                self.schedule(queued, bindings).await;
            }
            let due = self.shared.state.lock().queue.next_due();
            match due {
                // Running out of time is what is waited for.
                Some(due) => drop(tokio::time::timeout_at(due, woken).await),
                None => woken.await,
            }
            while bindings.try_join_next().is_some() {}
        }
    }

    fn next(&self) -> Option<QueuedPod> {
        let mut state = self.shared.state.lock();
        state.queue.advance(Instant::now());
        state.queue.pop()
    }

    async fn schedule(self: &Arc<Self>, queued: QueuedPod, bindings: &mut JoinSet<()>) {
        let placed = {
            let mut state = self.shared.state.lock();
            let cycle = Cycle::new(&queued.pod, &state.snapshot);
            match cycle.place(&self.profile, &*self.env.random) {
                Ok(id) => Ok(state.assume(&queued.pod, id)),
                Err(why) => {
                    state.queue.park(queued.clone(), &why, Instant::now());
                    Err(why)
                }
            }
        };
        match placed {
            Ok(placement) => {
                let slot = self.slots.clone().acquire_owned().await;
                let running = self.clone();
                bindings.spawn(async move {
                    running.bind(queued, placement).await;
                    drop(slot);
                });
            }
            Err(why) => self.failures.report(&queued.pod, &why.message).await,
        }
    }

    async fn bind(&self, queued: QueuedPod, placement: Placement) {
        let Err(reason) = self.try_bind(&placement).await else {
            let text =
                format!("Successfully assigned {} to {}", full_name(&placement), placement.node);
            self.recorder.event(reference(&placement.pod), EventType::Normal, "Scheduled", &text);
            return;
        };
        for (_, reserve) in self.profile.at(|at| at.reserve.as_ref()) {
            reserve.unreserve(&placement);
        }
        tracing::warn!(pod = full_name(&placement), node = %placement.node, %reason, "not bound, will retry");
        self.shared.tell(|state, now| state.forget(queued, now));
    }

    async fn try_bind(&self, placement: &Placement) -> Result<(), String> {
        for (_, reserve) in self.profile.at(|at| at.reserve.as_ref()) {
            reserve.reserve(placement).map_err(String::from)?;
        }
        for (_, permit) in self.profile.at(|at| at.permit.as_ref()) {
            if let Some(wait) = permit.permit(placement).map_err(String::from)? {
                tokio::time::sleep(wait).await;
            }
        }
        for (_, pre_bind) in self.profile.at(|at| at.pre_bind.as_ref()) {
            pre_bind.pre_bind(placement).await.map_err(|error| error.to_string())?;
        }
        let (_, bind) = self
            .profile
            .at(|at| at.bind.as_ref())
            .next()
            .ok_or("the profile has no Bind plugin")?;
        bind.bind(placement).await.map_err(|error| error.to_string())?;
        self.profile
            .at(|at| at.post_bind.as_ref())
            .for_each(|(_, after)| after.post_bind(placement));
        Ok(())
    }
}

fn full_name(placement: &Placement) -> String {
    format!("{}/{}", placement.pod.namespace, placement.pod.name)
}

fn reference(pod: &crate::PodInfo) -> Reference {
    Reference {
        api_version: "v1".into(),
        kind: "Pod".into(),
        namespace: pod.namespace.to_string(),
        name: pod.name.to_string(),
        uid: pod.uid.to_string(),
        field_path: String::new(),
    }
}

#[cfg(test)]
mod tests;
