//! A pod goes where its volumes are, or can be made.

mod bind;
mod find;

use crate::framework::{
    Cycle, Extensions, Feasible, Filter, Placement, Plugin, PreBind, PreFilter, Reach, Reason,
    Reserve,
};
use crate::plugins::node_affinity::select::selected;
use crate::plugins::volumes::{self, Claim, ClaimKey, Storage, Volume};
use crate::queue::ClusterEvent;
use crate::{NodeSet, PodClass, PodInfo, Snapshot};
use async_trait::async_trait;
use find::{Choice, Lack, Needs, Want};
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use serde::Deserialize;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use windlass_core::client::Client;
use windlass_core::meta::{Status, Str};
use windlass_core::{Error, scheme};

/// Refuses nodes that can't use the volumes of the pod's claims. For claims that wait for their first consumer it
/// chooses a volume, or asks for one to be made for the node, and holds the pod back until they are bound.
pub struct VolumeBinding {
    client: Option<Arc<dyn Client>>,
    timeout: Duration,
    decisions: Mutex<Decisions>,
}

/// The plugin's arguments, as in a `KubeSchedulerConfiguration`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct VolumeBindingArgs {
    /// How long binding may take; 600 seconds when nothing is said.
    pub bind_timeout_seconds: Option<u64>,
}

/// What was found for pods that have no place yet, and what was chosen for those that have.
#[derive(Default)]
struct Decisions {
    found: FxHashMap<Box<str>, Vec<Want>>,
    order: VecDeque<Box<str>>,
    chosen: FxHashMap<Box<str>, Vec<Choice>>,
    assumed: Assumed,
}

/// Choices that the cluster does not show yet.
#[derive(Default)]
struct Assumed {
    volumes: FxHashMap<Str, ClaimKey>,
    claims: FxHashMap<ClaimKey, Str>,
}

/// What was found is kept for so many pods: those of a gang get their places one after the other.
const MOST_FOUND: usize = 1024;
const TIMEOUT_SECONDS: u64 = 600;

// === impl VolumeBinding ===

impl VolumeBinding {
    /// Binds through this client. Without one it chooses and binds nothing: for what-if.
    #[must_use]
    pub fn new(client: Option<Arc<dyn Client>>, args: &VolumeBindingArgs) -> Self {
        let seconds = args.bind_timeout_seconds.unwrap_or(TIMEOUT_SECONDS);
        let timeout = Duration::from_secs(seconds);
        Self { client, timeout, decisions: Mutex::default() }
    }
}

impl Plugin for VolumeBinding {
    fn name(&self) -> &'static str {
        "VolumeBinding"
    }

    fn extensions(self: Arc<Self>) -> Extensions {
        Extensions {
            pre_filter: Some(self.clone()),
            filter: Some(self.clone()),
            reserve: Some(self.clone()),
            pre_bind: Some(self),
            columns: vec![|| Box::<Storage>::default()],
            ..Extensions::default()
        }
    }

    fn reach(&self, pod: &PodClass, _: &Snapshot) -> Reach {
        if pod.claims.is_empty() { Reach::Nothing } else { Reach::Cluster }
    }

    fn may_help(&self, event: &ClusterEvent, pod: &PodInfo) -> bool {
        match event {
            ClusterEvent::NodeAdded(_) => true,
            ClusterEvent::NodeUpdated { old, new } => old.labels != new.labels,
            ClusterEvent::ObjectSet(resource, object) => {
                let others = [
                    scheme::PERSISTENTVOLUMES,
                    scheme::STORAGECLASSES,
                    scheme::CSIDRIVERS,
                    scheme::CSISTORAGECAPACITIES,
                ];
                volumes::may_help(pod, resource, object, &others)
            }
            _ => false,
        }
    }
}

impl PreFilter for VolumeBinding {
    fn pre_filter(&self, cycle: &mut Cycle<'_>) -> Result<(), Reason> {
        let Some(storage) = cycle.snapshot.columns::<Storage>() else { return Ok(()) };
        if !cycle.pod.claims.is_empty() {
            let needs = Needs::of(storage, cycle.pod)?;
            cycle.keep(needs);
        }
        Ok(())
    }
}

impl Filter for VolumeBinding {
    fn filter(&self, cycle: &Cycle<'_>, feasible: &mut Feasible) {
        let Some(storage) = cycle.snapshot.columns::<Storage>() else { return };
        let Some(needs) = cycle.kept::<Needs>() else { return };
        bound(cycle.snapshot, storage, &needs.bound, feasible);
        if needs.waiting.is_empty() {
            return;
        }
        let mut decisions = self.decisions.lock();
        decisions.assumed.forget_seen(storage);
        let want = |claim| Want::new(cycle.snapshot, storage, claim, &decisions.assumed);
        let wants: Vec<Want> = needs.waiting.iter().map(want).collect();
        let (mut conflict, mut no_space) = (NodeSet::default(), NodeSet::default());
        for node in feasible.nodes().iter() {
            match find::choose(&wants, node, &decisions.assumed) {
                Ok(_) => {}
                Err(Lack::Volumes) => conflict.set(node, true),
                Err(Lack::Space) => no_space.set(node, true),
            }
        }
        let reason = "node(s) didn't find available persistent volumes to bind";
        feasible.refuse_for_good(conflict, reason);
        feasible.refuse_for_good(no_space, "node(s) did not have enough free storage");
        decisions.remember(&cycle.pod.uid, wants);
    }
}

/// Keeps the nodes that can use the volumes of bound claims.
fn bound(snapshot: &Snapshot, storage: &Storage, claims: &[Arc<Claim>], feasible: &mut Feasible) {
    for claim in claims {
        let Some(volume) = storage.volumes.get(&claim.volume) else {
            let reason =
                "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)";
            feasible.refuse_for_good(feasible.nodes().clone(), reason);
            continue;
        };
        if let Some(affinity) = &volume.affinity {
            let usable = selected(snapshot, affinity);
            feasible
                .keep_for_good(&usable, "node(s) didn't match PersistentVolume's node affinity");
        }
    }
}

impl Reserve for VolumeBinding {
    fn reserve(&self, placement: &Placement) -> Result<(), Reason> {
        if placement.pod.claims.is_empty() {
            return Ok(());
        }
        let mut decisions = self.decisions.lock();
        let Some(wants) = decisions.found.remove(&placement.pod.uid) else { return Ok(()) };
        decisions.order.retain(|uid| *uid != placement.pod.uid);
        // Others may have taken a volume since it was found.
        let choices = find::choose(&wants, placement.id, &decisions.assumed)
            .map_err(|_| "the volumes of its claims were taken by another pod")?;
        for choice in &choices {
            decisions.assumed.assume(choice, &placement.node);
        }
        decisions.chosen.insert(placement.pod.uid.clone(), choices);
        Ok(())
    }

    fn unreserve(&self, placement: &Placement) {
        if placement.pod.claims.is_empty() {
            return;
        }
        let mut decisions = self.decisions.lock();
        for choice in decisions.chosen.remove(&placement.pod.uid).unwrap_or_default() {
            decisions.assumed.revert(&choice);
        }
    }
}

#[async_trait]
impl PreBind for VolumeBinding {
    async fn pre_bind(&self, placement: &Placement) -> Result<(), Error> {
        let choices = self.decisions.lock().chosen.get(&placement.pod.uid).cloned();
        let Some(choices) = choices.filter(|choices| !choices.is_empty()) else { return Ok(()) };
        let Some(client) = &self.client else { return Ok(()) };
        let binding = async {
            for choice in &choices {
                bind::write(&**client, choice, &placement.node).await?;
            }
            for choice in &choices {
                let made = matches!(choice, Choice::Provision(_));
                bind::bound(&**client, choice.claim(), made).await?;
            }
            Ok(())
        };
        let done = tokio::time::timeout(self.timeout, binding).await;
        done.unwrap_or_else(|_| {
            let text = "binding volumes: timed out waiting for the condition";
            Err(Error::Status(Box::new(Status::internal(text))))
        })?;
        // From here on the cluster shows what was chosen, or will in a moment.
        self.decisions.lock().chosen.remove(&placement.pod.uid);
        Ok(())
    }
}

// === impl Choice ===

impl Choice {
    fn claim(&self) -> &Arc<Claim> {
        match self {
            Self::Bind(claim, _) | Self::Provision(claim) => claim,
        }
    }
}

// === impl Decisions ===

impl Decisions {
    fn remember(&mut self, uid: &str, wants: Vec<Want>) {
        if self.found.insert(uid.into(), wants).is_none() {
            self.order.push_back(uid.into());
        }
        while self.order.len() > MOST_FOUND {
            if let Some(oldest) = self.order.pop_front() {
                self.found.remove(&oldest);
            }
        }
    }
}

// === impl Assumed ===

impl Assumed {
    /// The node that a claim's volume is asked for.
    fn node(&self, claim: &Claim) -> Option<&str> {
        self.claims.get(&claim.key()).map(|node| &**node)
    }

    fn for_claim(&self, volume: &Volume, claim: &Claim) -> bool {
        self.volumes.get(&volume.name).is_some_and(|key| *key == claim.key())
    }

    fn by_other(&self, volume: &Volume, claim: &Claim) -> bool {
        self.volumes.get(&volume.name).is_some_and(|key| *key != claim.key())
    }

    fn assume(&mut self, choice: &Choice, node: &Str) {
        match choice {
            Choice::Bind(claim, volume) => {
                self.volumes.insert(volume.name.clone(), claim.key());
            }
            Choice::Provision(claim) => {
                self.claims.insert(claim.key(), node.clone());
            }
        }
    }

    fn revert(&mut self, choice: &Choice) {
        match choice {
            Choice::Bind(_, volume) => drop(self.volumes.remove(&volume.name)),
            Choice::Provision(claim) => drop(self.claims.remove(&claim.key())),
        }
    }

    /// What the cluster shows need not be assumed any more.
    fn forget_seen(&mut self, storage: &Storage) {
        self.volumes.retain(|name, _| storage.volumes.get(name).is_some_and(|v| v.claim.is_none()));
        self.claims.retain(|key, _| {
            storage.claims.get(key).is_some_and(|claim| claim.selected_node.is_none())
        });
    }
}

#[cfg(test)]
#[path = "volumes/tests.rs"]
mod tests;
