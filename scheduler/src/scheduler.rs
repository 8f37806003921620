//! The scheduler as a component: follows pods and nodes, runs cycles, binds.

mod bind;
mod evict;
mod failure;
mod running;
mod state;

use crate::extender::{Extenders, Objects};
use crate::framework::{Profile, Profiles};
use crate::plugins::default_profile;
use crate::queue::Queue;
use crate::{NodeInfo, PodInfo};
use async_trait::async_trait;
use bind::Binder;
use failure::Failures;
use running::Running;
use state::State;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;
use windlass_core::Object;
use windlass_core::cache::{Change, HeaderOnly, Informer, InformerFactory};
use windlass_core::clock::Env;
use windlass_core::component::{BoxError, Component, Ready, Shutdown};
use windlass_core::events::{Recorder, Reference};
use windlass_core::scheme::{self, GroupVersionResource};
use windlass_core::workqueue::Backoff;

/// Places pods on nodes.
pub struct Scheduler {
    profiles: Profiles,
    extenders: Extenders,
    backoff: Option<Backoff>,
    informers: InformerFactory,
    env: Env,
    recorder: Recorder,
}

/// Makes a [`Scheduler`].
pub struct SchedulerBuilder {
    informers: InformerFactory,
    recorder: Recorder,
    env: Env,
    profiles: Option<Profiles>,
    extenders: Extenders,
    backoff: Option<Backoff>,
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
        let (profiles, extenders, backoff) = (None, Extenders::default(), None);
        SchedulerBuilder { informers, recorder, env, profiles, extenders, backoff }
    }

    /// Follows nodes, pods and what the plugins' columns watch. Nodes and pods are decoded before anything is locked.
    fn start(&self) -> (Arc<Shared>, Vec<Ready>) {
        let queue = match self.backoff {
            Some(backoff) => Queue::with_backoff(self.profiles.clone(), backoff),
            None => Queue::new(self.profiles.clone()),
        };
        let state = State::new(self.profiles.clone(), queue, self.extenders.clone());
        let watches = state.engine.snapshot.watches();
        let shared = Arc::new(Shared { state: state.into(), wake: Notify::new() });
        let nodes: Arc<Informer<HeaderOnly>> = self.informers.informer(scheme::NODES);
        let pods: Arc<Informer<HeaderOnly>> = self.informers.informer(scheme::PODS);
        let (of_nodes, of_pods) = (shared.clone(), shared.clone());
        nodes.on_change(move |change| of_nodes.node_changed(change));
        pods.on_change(move |change| of_pods.pod_changed(change));
        let mut synced = vec![nodes.synced(), pods.synced()];
        for resource in watches {
            let objects: Arc<Informer<HeaderOnly>> = self.informers.informer(resource.clone());
            // One that not every server has is not waited for.
            if scheme::Scheme::builtin().by_gvr(&resource).is_some() {
                synced.push(objects.synced());
            }
            let shared = shared.clone();
            objects.on_change(move |change| shared.object_changed(&resource, change));
        }
        (shared, synced)
    }
}

impl SchedulerBuilder {
    /// With other plugins than the default ones.
    #[must_use]
    pub fn profile(self, profile: Profile) -> Self {
        self.profiles(profile.into())
    }

    /// With several profiles, each for the pods that name it.
    #[must_use]
    pub fn profiles(mut self, profiles: Profiles) -> Self {
        self.profiles = Some(profiles);
        self
    }

    /// With servers that have a say.
    #[must_use]
    pub fn extenders(mut self, extenders: Extenders) -> Self {
        self.extenders = extenders;
        self
    }

    /// How long a pod waits that failed: at first, and at most.
    #[must_use]
    pub fn backoff(mut self, first: Duration, max: Duration) -> Self {
        self.backoff = Some(Backoff { first, max });
        self
    }

    /// The scheduler.
    #[must_use]
    pub fn build(self) -> Scheduler {
        let default = || default_profile(self.informers.client());
        let profiles = self.profiles.unwrap_or_else(|| default().into());
        let Self { informers, recorder, env, extenders, backoff, .. } = self;
        Scheduler { profiles, extenders, backoff, informers, env, recorder }
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
            for cache in &synced {
                cache.wait().await;
            }
        };
        if shutdown.run_until_cancelled(caches).await.is_none() {
            return Ok(());
        }
        ready.set();
        let failures =
            Failures::new(self.informers.client(), self.recorder.clone(), self.env.clone());
        let objects = Objects {
            pods: self.informers.informer(scheme::PODS),
            nodes: self.informers.informer(scheme::NODES),
        };
        let Self { profiles, extenders, recorder, .. } = *self;
        let binder = Binder { profiles, extenders, recorder, failures };
        let running = Running::new(shared, binder, objects, self.env);
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
        if let Change::Deleted(gone) = change {
            self.tell(|state, now| state.pod_gone(&gone.object.header().uid, now));
        } else if let Some(pod) = read(change.object(), PodInfo::new) {
            self.tell(|state, now| state.pod_seen(pod, now));
        }
    }

    fn object_changed(&self, resource: &GroupVersionResource, change: &Change<HeaderOnly>) {
        let object = change.object();
        match change {
            Change::Deleted(_) => self.tell(|state, now| state.object_gone(resource, object, now)),
            _ => self.tell(|state, now| state.object_seen(resource, object, now)),
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
