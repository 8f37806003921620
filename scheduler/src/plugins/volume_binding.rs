//! A pod goes where its volumes are, or can be made.

mod assumed;
mod bind;
mod find;

pub(crate) use assumed::Given;

use crate::framework::{
    Cycle, Extensions, Feasible, Filter, Placement, Plugin, PreBind, PreFilter, Reach, Reason,
    Reserve,
};
use crate::plugins::node_affinity::select::selected;
use crate::plugins::volumes::{self, Claim, Storage};
use crate::queue::ClusterEvent;
use crate::{NodeSet, PodClass, PodInfo, Snapshot};
use assumed::Assumed;
use async_trait::async_trait;
use find::{Choice, Lack, Needs, Want};
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use windlass_core::client::Client;
use windlass_core::meta::Status;
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

/// What pods get that have a place.
#[derive(Default)]
struct Decisions {
    /// By pods with claims that are not reserved yet, until they are or are refused: none for those whose claims got nothing
    /// of what they wait for.
    found: FxHashMap<Box<str>, Option<Vec<Choice>>>,
    chosen: FxHashMap<Box<str>, Vec<Choice>>,
    assumed: Assumed,
}

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
        let assumed = decisions.assumed.and(storage.given.assumed());
        drop(decisions);
        let want = |claim| Want::new(cycle.snapshot, storage, claim, &assumed);
        let wants: Vec<Want> = needs.waiting.iter().map(want).collect();
        let (mut conflict, mut no_space) = (NodeSet::default(), NodeSet::default());
        for node in feasible.nodes().iter() {
            match find::choose(&wants, node, &assumed) {
                Ok(_) => {}
                Err(Lack::Volumes) => conflict.set(node, true),
                Err(Lack::Space) => no_space.set(node, true),
            }
        }
        let reason = "node(s) didn't find available persistent volumes to bind";
        feasible.refuse_for_good(conflict, reason);
        feasible.refuse_for_good(no_space, "node(s) did not have enough free storage");
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
    fn assumed(&self, placement: &Placement, snapshot: &Snapshot) {
        let pod = &placement.pod;
        if pod.claims.is_empty() {
            return;
        }
        let storage = snapshot.columns::<Storage>();
        let waiting = storage
            .filter(|storage| Needs::of(storage, pod).is_ok_and(|needs| !needs.waiting.is_empty()));
        let found = match waiting {
            Some(storage) => storage.given.to(pod).cloned(),
            None => Some(Vec::new()),
        };
        self.decisions.lock().found.insert(pod.uid.clone(), found);
    }

    fn reserve(&self, placement: &Placement) -> Result<(), Reason> {
        if placement.pod.claims.is_empty() {
            return Ok(());
        }
        let mut decisions = self.decisions.lock();
        let found = decisions.found.remove(&placement.pod.uid);
        let found = found.ok_or("nothing was looked for when it was given its node")?;
        // What was chosen before and is not seen in the cluster yet the columns need not know.
        let taken = |choice: &Choice| match choice {
            Choice::Bind(claim, volume) => decisions.assumed.by_other(volume, claim),
            Choice::Provision(_) => false,
        };
        let choices = found.filter(|choices| !choices.iter().any(taken));
        let choices = choices.ok_or("the volumes of its claims were taken by another pod")?;
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
        decisions.found.remove(&placement.pod.uid);
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

#[cfg(test)]
#[path = "volumes/tests.rs"]
mod tests;
