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

use crate::framework::{Engine, Explanation, Placement, Plugin, Profile, Profiles, Unschedulable};
use crate::gang::{GangScheduling, PodGroups, Policy};
use crate::queue::{GroupKey, group_of};
use crate::{NodeInfo, PodInfo, Snapshot};
use rustc_hash::FxHashMap;
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
    profiles: Profiles,
    random: Seeded,
    log: Vec<Step>,
}

/// Pods that are to be placed.
#[derive(Default)]
struct Waiting {
    by_priority: BTreeMap<Reverse<i32>, VecDeque<Arc<PodInfo>>>,
    /// Those of each gang: the first of them that has its turn takes them all.
    gangs: FxHashMap<GroupKey, Vec<Arc<PodInfo>>>,
}

// === impl Simulation ===

impl Simulation {
    /// A simulation on a snapshot with the default plugins. Ties are broken in the same way each time.
    #[must_use]
    pub fn new(snapshot: Snapshot) -> Self {
        Self::with_profile(snapshot, Arc::new(crate::plugins::simulated_profile()))
    }

    /// The same with other plugins: one profile, or several, each for the pods that name it.
    #[must_use]
    pub fn with_profile(mut snapshot: Snapshot, profiles: impl Into<Profiles>) -> Self {
        let profiles = profiles.into();
        profiles.attach(&mut snapshot);
        Self { engine: Engine::new(snapshot), profiles, random: Seeded::new(0), log: Vec::new() }
    }

    /// The cluster as it would be by now.
    #[must_use]
    pub fn snapshot(&self) -> &Snapshot {
        &self.engine.snapshot
    }

    /// Places pods, greater priority first, then in their order. A pod whose room others must leave gets it; these are
    /// placed anew after it, as their owners would make them anew. Pods whose end has been asked for are none that
    /// anybody places; those that have a gate, or that another scheduler shall place, wait.
    pub fn place(&mut self, pods: impl IntoIterator<Item = Arc<PodInfo>>) -> Outcome {
        let mut outcome = Outcome::default();
        let mut waiting = Waiting::default();
        pods.into_iter().for_each(|pod| self.wait(pod, &mut waiting, &mut outcome));
        while let Some(pod) = waiting.next() {
            let Some(profile) = self.profiles.named(&pod.scheduler_name).cloned() else { continue };
            if let Some((group, needed)) = self.gang(&pod, &profile) {
                // None: their turn was that of one before.
                if let Some(members) = waiting.gangs.remove(&group) {
                    self.place_gang(&members, needed, &profile, &mut outcome);
                }
                continue;
            }
            for evicted in self.place_one(pod, &profile, &mut outcome) {
                self.wait(evicted, &mut waiting, &mut outcome);
            }
        }
        outcome
    }

    /// Puts a pod to those that wait, if anybody may place it.
    fn wait(&self, pod: Arc<PodInfo>, waiting: &mut Waiting, outcome: &mut Outcome) {
        if pod.deleting || pod.terminal {
            return;
        }
        let pod = unbound(pod);
        let Some(profile) = self.profiles.named(&pod.scheduler_name) else {
            let message = format!("no profile for schedulerName {:?}", &*pod.scheduler_name);
            let why = Unschedulable { message, ..Unschedulable::default() };
            return outcome.unschedulable.push((pod, why));
        };
        let closed = profile.closed(&pod).next();
        if let Some((plugin, reason)) = closed {
            let (message, plugins) = (reason.into_owned(), vec![plugin]);
            let why = Unschedulable { message, plugins, ..Unschedulable::default() };
            return outcome.unschedulable.push((pod, why));
        }
        if let Some((group, _)) = self.gang(&pod, profile) {
            waiting.gangs.entry(group).or_default().push(pod.clone());
        }
        waiting.by_priority.entry(Reverse(pod.priority)).or_default().push_back(pod);
    }

    /// What each plugin says of a pod, node by node. Changes nothing.
    #[must_use]
    pub fn explain(&self, pod: &PodInfo) -> Explanation {
        Explanation::new(pod, &self.engine.snapshot, self.profiles.of(pod))
    }

    /// Adds nodes, or changes those of the same name.
    pub fn add_nodes(&mut self, nodes: impl IntoIterator<Item = NodeInfo>) {
        nodes.into_iter().for_each(|node| self.set_node(Arc::new(node)));
    }

    /// Cordons a node and places its pods anew, but for those of DaemonSets. Nothing happens when there is no such node.
    pub fn drain(&mut self, node: &str) -> Outcome {
        let pods = self.empty(node);
        self.place(pods)
    }

    /// Cordons a node and takes its pods off, but for those of DaemonSets: to be placed anew together with others.
    /// None when there is no such node.
    pub fn empty(&mut self, node: &str) -> Vec<Arc<PodInfo>> {
        let Some(id) = self.engine.snapshot.id(node) else { return Vec::new() };
        let cordoned =
            NodeInfo { unschedulable: true, ..(**self.engine.snapshot.node(id)).clone() };
        self.set_node(Arc::new(cordoned));
        let pods = self.engine.snapshot.pods_on(id).iter();
        let mut pods: Vec<_> = pods.filter(|pod| !of_daemon_set(pod)).cloned().collect();
        pods.sort_by(|a, b| a.uid.cmp(&b.uid));
        pods.iter().for_each(|pod| self.take_off(pod));
        pods
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

    /// Places one; returns who had to go for it. Nobody of those placed before in the same turn: they are no lower.
    fn place_one(
        &mut self,
        pod: Arc<PodInfo>,
        profile: &Arc<Profile>,
        outcome: &mut Outcome,
    ) -> Vec<Arc<PodInfo>> {
        let why = match self.engine.place(&pod, profile, &self.random) {
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
            let (from, by) = (self.engine.snapshot.name(node).clone(), pod.clone());
            outcome.preempted.push(Preempted { pod: victim.clone(), from, by });
        }
        self.settle(pod, node, outcome);
        why.victims
    }

    fn place_gang(
        &mut self,
        members: &[Arc<PodInfo>],
        needed: usize,
        profile: &Arc<Profile>,
        outcome: &mut Outcome,
    ) {
        let together = self.engine.place_together(members, needed, profile, &self.random);
        for (at, node) in together.placed {
            self.settle(members[at].clone(), node, outcome);
        }
        let refused = together.refused.into_iter();
        outcome.unschedulable.extend(refused.map(|(at, why)| (members[at].clone(), why)));
    }

    /// A pod's gang, and how many more of it must be placed with this one; none when it goes alone.
    fn gang(&self, pod: &PodInfo, profile: &Profile) -> Option<(GroupKey, usize)> {
        let group = group_of(pod).filter(|_| profile.has(GangScheduling.name()))?;
        let groups = self.engine.snapshot.columns::<PodGroups>()?;
        match groups.policy(&group)? {
            Policy::Basic => None,
            Policy::Gang(min_count) => {
                let missing = min_count.saturating_sub(groups.placed(&group));
                Some((group, missing))
            }
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

// === impl Waiting ===

impl Waiting {
    fn next(&mut self) -> Option<Arc<PodInfo>> {
        loop {
            let mut first = self.by_priority.first_entry()?;
            match first.get_mut().pop_front() {
                Some(pod) => return Some(pod),
                None => drop(first.remove()),
            }
        }
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
