//! What would be: pods placed, nodes drained and added on a copy of the cluster, by the very code that schedules.
//!
//! A [`Simulation`] keeps a log of what it did: [`Simulation::mark`] and [`Simulation::undo`] make transactions of it.

mod load;
mod outcome;
mod templates;
mod undo;

pub use outcome::{Outcome, Preempted};
pub use templates::pods_of;
pub use undo::Mark;

use crate::framework::{Engine, Explanation, Placement, Plugin, Profile, Unschedulable};
use crate::gang::{GangScheduling, PodGroups, Policy};
use crate::queue::group_of;
use crate::{NodeInfo, PodInfo, Snapshot};
use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use undo::Step;
use windlass_core::Object;
use windlass_core::clock::Seeded;
use windlass_core::scheme::GroupVersionResource;

/// A copy of the cluster to try things on.
pub struct Simulation {
    engine: Engine,
    profile: Arc<Profile>,
    random: Seeded,
    log: Vec<Step>,
}

// === impl Simulation ===

impl Simulation {
    /// A simulation on a snapshot with the default plugins. Ties are broken in the same way each time.
    #[must_use]
    pub fn new(snapshot: Snapshot) -> Self {
        Self::with_profile(snapshot, Arc::new(crate::plugins::simulated_profile()))
    }

    /// The same with other plugins.
    #[must_use]
    pub fn with_profile(mut snapshot: Snapshot, profile: Arc<Profile>) -> Self {
        profile.attach(&mut snapshot);
        Self { engine: Engine::new(snapshot), profile, random: Seeded::new(0), log: Vec::new() }
    }

    /// The cluster as it would be by now.
    #[must_use]
    pub fn snapshot(&self) -> &Snapshot {
        &self.engine.snapshot
    }

    /// Places pods, greater priority first, then in their order. A pod whose room others must leave gets it; these are
    /// placed anew after it, as their owners would make them anew.
    pub fn place(&mut self, pods: impl IntoIterator<Item = Arc<PodInfo>>) -> Outcome {
        let mut outcome = Outcome::default();
        let mut waiting: BTreeMap<Reverse<i32>, VecDeque<Arc<PodInfo>>> = BTreeMap::new();
        let wait = |waiting: &mut BTreeMap<_, VecDeque<_>>, pod: Arc<PodInfo>| {
            waiting.entry(Reverse(pod.priority)).or_default().push_back(pod);
        };
        pods.into_iter().for_each(|pod| wait(&mut waiting, unbound(pod)));
        let gangs = self.profile.has(GangScheduling.name());
        while let Some(mut first) = waiting.first_entry() {
            let Some(pod) = first.get_mut().pop_front() else {
                first.remove();
                continue;
            };
            if gangs && let Some(needed) = self.gang(&pod) {
                let group = group_of(&pod);
                let mut members = vec![pod];
                for others in waiting.values_mut() {
                    let (mine, rest) = others.drain(..).partition(|p| group_of(p) == group);
                    *others = rest;
                    members.extend::<VecDeque<_>>(mine);
                }
                self.place_gang(&members, needed, &mut outcome);
                continue;
            }
            for evicted in self.place_one(pod, &mut outcome) {
                wait(&mut waiting, evicted);
            }
        }
        outcome
    }

    /// What each plugin says of a pod, node by node. Changes nothing.
    #[must_use]
    pub fn explain(&self, pod: &PodInfo) -> Explanation {
        Explanation::new(pod, &self.engine.snapshot, &self.profile)
    }

    /// Adds nodes, or changes those of the same name.
    pub fn add_nodes(&mut self, nodes: impl IntoIterator<Item = NodeInfo>) {
        nodes.into_iter().for_each(|node| self.set_node(Arc::new(node)));
    }

    /// Cordons a node and places its pods anew, but for those of DaemonSets. Nothing happens when there is no such node.
    pub fn drain(&mut self, node: &str) -> Outcome {
        let Some(id) = self.engine.snapshot.id(node) else { return Outcome::default() };
        let cordoned =
            NodeInfo { unschedulable: true, ..(**self.engine.snapshot.node(id)).clone() };
        self.set_node(Arc::new(cordoned));
        let pods = self.engine.snapshot.pods_on(id).iter();
        let mut pods: Vec<_> = pods.filter(|pod| !of_daemon_set(pod)).cloned().collect();
        pods.sort_by(|a, b| a.uid.cmp(&b.uid));
        pods.iter().for_each(|pod| self.take_off(pod));
        self.place(pods)
    }

    /// Drains a node and takes it away, with the DaemonSet pods on it.
    pub fn remove_node(&mut self, node: &str) -> Outcome {
        let outcome = self.drain(node);
        if let Some(id) = self.engine.snapshot.id(node) {
            let rest = self.engine.snapshot.pods_on(id).to_vec();
            rest.iter().for_each(|pod| self.take_off(pod));
            let info = self.engine.snapshot.node(id).clone();
            self.engine.snapshot.remove_node(node);
            self.log.push(Step::NodeRemoved(info));
        }
        outcome
    }

    /// Tells of an object that the plugins' columns follow: a budget, a claim, a group. It is not undone.
    pub fn set_object(&mut self, resource: &GroupVersionResource, object: &Arc<Object>) {
        self.engine.snapshot.set_object(resource, object);
    }

    /// Ends a pod. Nothing happens when it is on no node.
    pub fn remove_pod(&mut self, uid: &str) {
        if let Some(pod) = self.engine.snapshot.pod(uid).cloned() {
            self.take_off(&pod);
        }
    }

    /// Places one; returns who had to go for it.
    fn place_one(&mut self, pod: Arc<PodInfo>, outcome: &mut Outcome) -> Vec<Arc<PodInfo>> {
        let why = match self.engine.place(&pod, &self.profile, &self.random) {
            Ok(node) => {
                self.settle(pod, node, outcome);
                return Vec::new();
            }
            Err(why) => why,
        };
        let node = why.nominated.as_ref().and_then(|node| self.engine.snapshot.id(node));
        let Some(node) = node.filter(|_| !why.victims.is_empty()) else {
            outcome.unschedulable.push((pod, why));
            return Vec::new();
        };
        for victim in &why.victims {
            self.take_off(victim);
            // One that was placed a moment ago has not come to stay.
            outcome.placed.retain(|placed| placed.pod.uid != victim.uid);
            let (from, by) = (self.engine.snapshot.name(node).clone(), pod.clone());
            outcome.preempted.push(Preempted { pod: victim.clone(), from, by });
        }
        self.settle(pod, node, outcome);
        why.victims.into_iter().map(unbound).collect()
    }

    fn place_gang(&mut self, members: &[Arc<PodInfo>], needed: usize, outcome: &mut Outcome) {
        let together = self.engine.place_together(members, needed, &self.profile, &self.random);
        for (at, node) in together.placed {
            self.settle(members[at].clone(), node, outcome);
        }
        let refused = together.refused.into_iter();
        outcome.unschedulable.extend(refused.map(|(at, why)| (members[at].clone(), why)));
    }

    /// How many more pods of its gang must be placed with this one; none when it goes alone.
    fn gang(&self, pod: &PodInfo) -> Option<usize> {
        let (group, groups) = (group_of(pod)?, self.engine.snapshot.columns::<PodGroups>()?);
        match groups.policy(&group)? {
            Policy::Basic => None,
            Policy::Gang(min_count) => Some(min_count.saturating_sub(groups.placed(&group))),
        }
    }

    fn settle(&mut self, pod: Arc<PodInfo>, id: crate::NodeId, outcome: &mut Outcome) {
        self.engine.snapshot.place(pod.clone(), id);
        self.log.push(Step::PodPlaced(pod.uid.clone()));
        let node = self.engine.snapshot.name(id).clone();
        outcome.placed.push(Placement { pod, node, id });
    }

    fn take_off(&mut self, pod: &Arc<PodInfo>) {
        let node = self.engine.snapshot.node_of(&pod.uid);
        if let Some(node) = node.map(|id| self.engine.snapshot.name(id).clone()) {
            self.engine.snapshot.remove_pod(&pod.uid);
            self.log.push(Step::PodRemoved(pod.clone(), node));
        }
    }

    fn set_node(&mut self, node: Arc<NodeInfo>) {
        let known = self.engine.snapshot.id(&node.name);
        let old = known.map(|id| self.engine.snapshot.node(id).clone());
        self.log.push(Step::NodeSet(node.name.clone(), old));
        self.engine.snapshot.set_node(node);
    }
}

fn of_daemon_set(pod: &PodInfo) -> bool {
    pod.controller.as_ref().is_some_and(|(kind, _)| &**kind == "DaemonSet")
}

/// The pod as its owner would make it anew.
fn unbound(pod: Arc<PodInfo>) -> Arc<PodInfo> {
    if pod.node_name.is_empty() && pod.nominated_node_name.is_empty() {
        return pod;
    }
    let none = windlass_core::meta::intern("");
    Arc::new(PodInfo { node_name: none.clone(), nominated_node_name: none, ..(*pod).clone() })
}

impl Unschedulable {
    /// Why, without what preemption had to say.
    #[must_use]
    pub fn reasons(&self) -> &str {
        self.message.split(" preemption: ").next().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
