//! The scheduler as a component: follows pods and nodes, runs cycles, binds.

mod bind;
mod failure;
mod running;
mod state;

use crate::framework::Profile;
use crate::plugins::default_profile;
use crate::{NodeInfo, PodInfo};
use async_trait::async_trait;
use bind::Binder;
use failure::Failures;
use running::Running;
use state::State;
use std::sync::Arc;
use tokio::sync::Notify;
use tokio::time::Instant;
use windlass_core::Object;
use windlass_core::cache::{Change, HeaderOnly, Informer, InformerFactory};
use windlass_core::clock::Env;
use windlass_core::component::{BoxError, Component, Ready, Shutdown};
use windlass_core::events::{Recorder, Reference};
use windlass_core::scheme;

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

// === impl Scheduler ===

impl Scheduler {
    /// A scheduler that reads and binds through the factory's client.
    #[must_use]
    pub fn builder(informers: InformerFactory, recorder: Recorder, env: Env) -> SchedulerBuilder {
        SchedulerBuilder { informers, recorder, env, profile: None }
    }

    /// Follows nodes and pods. They are decoded before anything is locked.
    fn start(&self) -> (Arc<Shared>, [Ready; 2]) {
        let state = State::new(self.profile.clone());
        let shared = Arc::new(Shared { state: state.into(), wake: Notify::new() });
        let nodes: Arc<Informer<HeaderOnly>> = self.informers.informer(scheme::NODES);
        let pods: Arc<Informer<HeaderOnly>> = self.informers.informer(scheme::PODS);
        let (of_nodes, of_pods) = (shared.clone(), shared.clone());
        nodes.on_change(move |change| of_nodes.node_changed(change));
        pods.on_change(move |change| of_pods.pod_changed(change));
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
        let binder = Binder { profile: self.profile, recorder: self.recorder, failures };
        let running = Running::new(shared, binder, self.env);
        // A binding under way when this ends happens or not; the next scheduler sees which.
        shutdown.run_until_cancelled(running.schedule_all()).await;
        Ok(())
    }
}

// === impl Shared ===

impl Shared {
    fn node_changed(&self, change: &Change<HeaderOnly>) {
        let object = change.object();
        if let Change::Deleted(_) = change {
            self.tell(|state, now| state.node_gone(object.name(), now));
        } else if let Some(node) = read(object, NodeInfo::new) {
            self.tell(|state, now| state.node_seen(node, now));
        }
    }

    fn pod_changed(&self, change: &Change<HeaderOnly>) {
        let header = change.object().header();
        if let Change::Deleted(_) = change {
            self.tell(|state, now| state.pod_gone(&header.uid, now));
        } else if let Some(pod) = read(change.object(), PodInfo::new) {
            self.tell(|state, now| state.pod_seen(pod, header.deleting, now));
        }
    }

    fn tell(&self, change: impl FnOnce(&mut State, Instant)) {
        change(&mut self.state.lock(), Instant::now());
        self.wake.notify_one();
    }
}

fn read<T>(object: &Object, view: impl Fn(&Object) -> windlass_core::Result<T>) -> Option<T> {
    let error = match view(object) {
        Ok(view) => return Some(view),
        Err(error) => error,
    };
    tracing::error!(name = object.header().full_name(), %error, "left out");
    None
}

fn reference(pod: &PodInfo) -> Reference {
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
