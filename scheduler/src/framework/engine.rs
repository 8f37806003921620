//! A snapshot with what makes placing many pods cheap: the very code that the scheduler and what-if run.

use super::answers::{Answers, Refused};
use super::cycle::{pick_best, refused_all, unschedulable};
use super::nominated::Promise;
use super::{Cycle, Failed, Feasible, Nominated, Profile, Unschedulable};
use crate::snapshot::{NodeId, NodeSet};
use crate::{PodInfo, Snapshot};
use std::sync::Arc;
use windlass_core::clock::Random;

/// Places pods one after the other. What it was asked for one pod serves the equal ones after it; the journal of the
/// snapshot says what of it still counts.
#[derive(Default)]
pub struct Engine {
    /// The cluster. It may be changed in any way between two pods.
    pub snapshot: Snapshot,
    /// Pods that are promised nodes: the others heed it.
    pub nominated: Nominated,
    /// All nodes on which room can be made are wanted, not the best alone: extenders choose.
    pub(crate) all_rooms: bool,
    answers: Answers,
}

/// The nodes a pod may go to, with their scores.
#[derive(Debug, Default)]
pub struct Candidates {
    /// The nodes.
    pub nodes: Vec<NodeId>,
    /// The weighted sum of the scores of each; empty when there are not two to choose from.
    pub scores: Vec<i64>,
}

// === impl Engine ===

impl Engine {
    /// An engine over a snapshot. (Columns of plugins must be attached: [`Profile::attach`].)
    #[must_use]
    pub fn new(snapshot: Snapshot) -> Self {
        Self { snapshot, ..Self::default() }
    }

    /// The best node for a pod. Does not put it there.
    ///
    /// # Errors
    /// Why there is none, and who must go for it to get one. A node that it shall get then is to be put into
    /// [`Engine::nominated`] by the caller, once he means it.
    pub fn place(
        &mut self,
        pod: &Arc<PodInfo>,
        profile: &Arc<Profile>,
        random: &dyn Random,
    ) -> Result<NodeId, Unschedulable> {
        if let Some(node) = self.promised_node(pod, profile) {
            return Ok(node);
        }
        match self.by_answer(pod, profile, random) {
            Some(node) => Ok(node),
            None => self.anew(pod, profile, random),
        }
    }

    /// All nodes that a pod may go to, with their scores.
    ///
    /// # Errors
    /// Why there are none.
    pub fn candidates(
        &mut self,
        pod: &Arc<PodInfo>,
        profile: &Profile,
    ) -> Result<Candidates, Unschedulable> {
        let total = self.snapshot.nodes().len();
        let feasible = self.feasible(pod, profile)?;
        let nodes: Vec<NodeId> = feasible.nodes().iter().collect();
        if nodes.is_empty() {
            return Err(unschedulable(&feasible, total));
        }
        let scores = if nodes.len() < 2 {
            Vec::new()
        } else {
            let mut cycle = Cycle::new(pod, &self.snapshot);
            // Scores rest on what the filters found out.
            cycle.filter(profile).map_err(|refused| refused_all(refused, total))?;
            cycle.score(profile, &nodes)
        };
        Ok(Candidates { nodes, scores })
    }

    /// Whether a pod may go to one node.
    pub fn fits(&mut self, pod: &Arc<PodInfo>, profile: &Profile, node: NodeId) -> bool {
        let only = || [node].into_iter().collect();
        let mut cycle = Cycle::new(pod, &self.snapshot);
        let fits = cycle.filter_among(profile, only()).is_ok_and(|f| f.nodes().contains(node));
        fits && self.fits_beside(pod, profile, node)
    }

    /// Whether a pod that fits on a node does so beside those that are promised to come.
    fn fits_beside(&mut self, pod: &Arc<PodInfo>, profile: &Profile, node: NodeId) -> bool {
        let only: NodeSet = [node].into_iter().collect();
        let promises = self.heeded(pod, profile, &only);
        promises.iter().all(|(id, _)| *id != node)
            || self
                .with_promises(&promises, pod, profile, only)
                .is_ok_and(|feasible| feasible.nodes().contains(node))
    }

    /// What a pod has to heed when it is asked whether it may go to these nodes: what is promised there, and anywhere when
    /// a plugin looks beyond single nodes.
    fn heeded(&self, pod: &PodInfo, profile: &Profile, nodes: &NodeSet) -> Vec<Promise> {
        if self.nominated.is_empty() {
            return Vec::new();
        }
        let far = profile.looks_far(pod, &self.snapshot);
        let nodes = if far { self.snapshot.nodes() } else { nodes };
        self.nominated.heeded_by(pod, &self.snapshot, nodes)
    }

    /// The node that the pod was promised, if that has room by now.
    fn promised_node(&mut self, pod: &Arc<PodInfo>, profile: &Profile) -> Option<NodeId> {
        let own = self.nominated.node(&pod.uid);
        let node = self.snapshot.id(own.unwrap_or(&pod.nominated_node_name))?;
        self.fits(pod, profile, node).then_some(node)
    }

    /// Asks about nodes as they will be. What was answered before counts on.
    fn with_promises(
        &mut self,
        promises: &[Promise],
        pod: &PodInfo,
        profile: &Profile,
        nodes: NodeSet,
    ) -> Result<Feasible, Refused> {
        let outer = self.snapshot.begin_trial();
        promises.iter().for_each(|(id, other)| self.snapshot.place(other.clone(), *id));
        let feasible = Cycle::new(pod, &self.snapshot).filter_among(profile, nodes);
        promises.iter().for_each(|(_, other)| self.snapshot.remove_pod(&other.uid));
        self.snapshot.end_trial(outer);
        feasible
    }

    /// By what was answered for an equal pod.
    fn by_answer(
        &mut self,
        pod: &Arc<PodInfo>,
        profile: &Arc<Profile>,
        random: &dyn Random,
    ) -> Option<NodeId> {
        if !pod.node_name.is_empty() {
            // That is its own, and its class does not know it.
            return None;
        }
        let mut answers = std::mem::take(&mut self.answers);
        let answer = answers.get(pod, profile, &self.snapshot, random.next());
        let found = answer.and_then(Result::ok).and_then(|answer| {
            if answer.is_local() {
                answer.best(|node| self.fits_beside(pod, profile, node))
            } else if self.heeded(pod, profile, self.snapshot.nodes()).is_empty() {
                let mut cycle = Cycle::new(pod, &self.snapshot);
                let far = answer.looking_far();
                let feasible = cycle.narrow(far.clone(), answer.fits().clone()).ok()?;
                let nodes: Vec<NodeId> = feasible.nodes().iter().collect();
                match nodes.as_slice() {
                    [] => None,
                    [only] => Some(*only),
                    _ => {
                        let mut total = answer.scores(&nodes);
                        cycle.add_scores(far, &nodes, &mut total);
                        Some(nodes[pick_best(&total, random)])
                    }
                }
            } else {
                None
            }
        });
        self.answers = answers;
        found
    }

    /// Asks all plugins about all nodes; when none is left, who must go.
    fn anew(
        &mut self,
        pod: &Arc<PodInfo>,
        profile: &Arc<Profile>,
        random: &dyn Random,
    ) -> Result<NodeId, Unschedulable> {
        let total = self.snapshot.nodes().len();
        if total == 0 {
            return Err(unschedulable(&Feasible::new(NodeSet::default()), 0));
        }
        let mut cycle = Cycle::new(pod, &self.snapshot);
        let refused = |refused| refused_all(refused, total);
        let feasible = cycle.filter(profile).map_err(refused)?;
        if feasible.nodes().is_empty() {
            return Err(self.make_room(pod, profile, &feasible, random));
        }
        if self.heeded(pod, profile, feasible.nodes()).is_empty() {
            let nodes: Vec<NodeId> = feasible.nodes().iter().collect();
            return Ok(match nodes.as_slice() {
                [only] => *only,
                nodes => nodes[pick_best(&cycle.score(profile, nodes), random)],
            });
        }
        let feasible = self.feasible(pod, profile)?;
        if feasible.nodes().is_empty() {
            return Err(self.make_room(pod, profile, &feasible, random));
        }
        let found = self.candidates(pod, profile)?;
        match found.nodes.as_slice() {
            [only] => Ok(*only),
            nodes => Ok(nodes[pick_best(&found.scores, random)]),
        }
    }

    /// The nodes that a pod may go to, promises heeded.
    fn feasible(
        &mut self,
        pod: &Arc<PodInfo>,
        profile: &Profile,
    ) -> Result<Feasible, Unschedulable> {
        let total = self.snapshot.nodes().len();
        let feasible = Cycle::new(pod, &self.snapshot).filter(profile);
        let mut feasible = feasible.map_err(|refused| refused_all(refused, total))?;
        let promises = self.heeded(pod, profile, feasible.nodes());
        let mut contested: NodeSet = promises.iter().map(|(id, _)| *id).collect();
        contested.intersect(feasible.nodes());
        if !contested.is_empty() {
            let beside = self.with_promises(&promises, pod, profile, contested.clone());
            let mut free = feasible.nodes().clone();
            free.subtract(&contested);
            let beside = beside.map_err(|refused| refused_all(refused, total))?;
            feasible.append(beside.and_also(&free));
        }
        Ok(feasible)
    }

    /// Why a pod gets no node when somebody else than the plugins takes all that were left; and who must go for it.
    pub(crate) fn refused_by(
        &mut self,
        pod: &Arc<PodInfo>,
        profile: &Arc<Profile>,
        refuse: impl FnOnce(&Snapshot, &mut Feasible),
        random: &dyn Random,
    ) -> Unschedulable {
        match self.feasible(pod, profile) {
            Ok(mut feasible) => {
                refuse(&self.snapshot, &mut feasible);
                self.make_room(pod, profile, &feasible, random)
            }
            Err(why) => why,
        }
    }

    fn make_room(
        &mut self,
        pod: &Arc<PodInfo>,
        profile: &Arc<Profile>,
        feasible: &Feasible,
        random: &dyn Random,
    ) -> Unschedulable {
        let mut why = unschedulable(feasible, self.snapshot.nodes().len());
        if self.snapshot.nodes().is_empty() {
            return why;
        }
        let all_rooms = self.all_rooms;
        let (snapshot, nominated) = (&mut self.snapshot, &self.nominated);
        let mut failed = Failed { pod, snapshot, feasible, profile, nominated, random, all_rooms };
        for (_, maker) in profile.at(|at| at.post_filter.as_ref()) {
            let room = maker.post_filter(&mut failed);
            if !room.message.is_empty() {
                why.message = format!("{} {}", why.message, room.message);
            }
            if let Some(node) = room.node {
                why.nominated = Some(failed.snapshot.name(node).clone());
                why.victims = room.victims;
                why.rooms = room.rooms;
                break;
            }
        }
        why
    }
}

#[cfg(test)]
mod tests;
