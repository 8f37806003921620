//! One scheduling cycle: from a pod and a snapshot to a node, without I/O.

use super::answers::{Refused, reaches};
use super::profile::Enabled;
use super::{Feasible, MAX_SCORE, Normalization, Profile, Reach, Reason};
use crate::snapshot::{NodeId, NodeSet};
use crate::{PodInfo, Snapshot};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::any::{Any, TypeId};
use std::sync::Arc;
use windlass_core::clock::Random;
use windlass_core::meta::Str;

/// What plugins see of the cycle they are in.
pub struct Cycle<'a> {
    /// The pod.
    pub pod: &'a PodInfo,
    /// The cluster.
    pub snapshot: &'a Snapshot,
    state: FxHashMap<TypeId, Box<dyn Any + Send + Sync>>,
}

/// A pod with the node it got.
#[derive(Clone, Debug)]
pub struct Placement {
    /// The pod, its node name still empty.
    pub pod: Arc<PodInfo>,
    /// The node.
    pub node: Str,
    /// Its number in the snapshot, good until the next change of nodes.
    pub id: NodeId,
}

/// Why a pod got no node.
#[derive(Clone, Debug, Default)]
pub struct Unschedulable {
    /// For the event and the condition.
    pub message: String,
    /// The plugins that refused nodes: only what helps with them is worth another try.
    pub plugins: Vec<&'static str>,
    /// The node that a [`super::PostFilter`] makes room on.
    pub nominated: Option<Str>,
    /// The pods that must go for it.
    pub victims: Vec<Arc<PodInfo>>,
    /// Where room can be made at all, when extenders are asked which it shall be.
    pub(crate) rooms: Vec<crate::preemption::Candidate>,
}

// === impl Cycle ===

impl<'a> Cycle<'a> {
    /// A cycle for a pod.
    #[must_use]
    pub fn new(pod: &'a PodInfo, snapshot: &'a Snapshot) -> Self {
        Self { pod, snapshot, state: FxHashMap::default() }
    }

    /// Keeps what a plugin found out for its later points (`CycleState`). One value per type.
    pub fn keep<T: Any + Send + Sync>(&mut self, value: T) {
        self.state.insert(TypeId::of::<T>(), Box::new(value));
    }

    /// What was kept.
    #[must_use]
    pub fn kept<T: Any + Send + Sync>(&self) -> Option<&T> {
        self.state.get(&TypeId::of::<T>())?.downcast_ref()
    }

    /// The nodes that pass all filters of a profile.
    ///
    /// # Errors
    /// When a plugin refuses the pod altogether.
    pub fn filter(&mut self, profile: &Profile) -> Result<Feasible, (&'static str, Reason)> {
        self.filter_among(profile, self.snapshot.nodes().clone())
    }

    /// Those of `nodes` that pass all filters of a profile.
    ///
    /// # Errors
    /// When a plugin refuses the pod altogether.
    pub fn filter_among(
        &mut self,
        profile: &Profile,
        nodes: NodeSet,
    ) -> Result<Feasible, (&'static str, Reason)> {
        let asked = asked(profile, self.pod, self.snapshot);
        self.narrow(asked.iter().copied(), nodes)
    }

    /// Those of `nodes` that pass the filters of these plugins.
    pub(super) fn narrow<'p>(
        &mut self,
        plugins: impl Iterator<Item = &'p Enabled> + Clone,
        nodes: NodeSet,
    ) -> Result<Feasible, Refused> {
        for enabled in plugins.clone() {
            if let Some(pre_filter) = &enabled.at.pre_filter {
                let refused = |reason| (enabled.plugin.name(), reason);
                pre_filter.pre_filter(self).map_err(refused)?;
            }
        }
        let mut feasible = Feasible::new(nodes);
        for enabled in plugins {
            let Some(filter) = &enabled.at.filter else { continue };
            if feasible.nodes().is_empty() {
                break;
            }
            feasible.asking(enabled.plugin.name());
            filter.filter(self, &mut feasible);
        }
        Ok(feasible)
    }

    /// The weighted sum of all scores, for each of `nodes`.
    #[must_use]
    pub fn score(&mut self, profile: &Profile, nodes: &[NodeId]) -> Vec<i64> {
        let reaches = reaches(profile, self.pod, self.snapshot);
        let asked = profile.plugins().iter().zip(&reaches);
        let asked = asked.filter(|(_, reach)| **reach != Reach::Nothing);
        let mut total = vec![0; nodes.len()];
        self.add_scores(asked.map(|(enabled, _)| enabled), nodes, &mut total);
        total
    }

    /// Adds the weighted scores of these plugins.
    pub(super) fn add_scores<'p>(
        &mut self,
        plugins: impl Iterator<Item = &'p Enabled>,
        nodes: &[NodeId],
        total: &mut [i64],
    ) {
        let mut scores = vec![0; nodes.len()];
        for enabled in plugins {
            if rate(self, enabled, nodes, &mut scores) {
                let how = enabled.at.score.as_ref().map(|score| score.normalization());
                normalize(&mut scores, how.unwrap_or_default());
                let sums = total.iter_mut().zip(&scores);
                sums.for_each(|(sum, score)| *sum += enabled.weight * score);
            }
        }
    }

    /// The best node: filters, then scores, then a draw among the equals. Makes no room for the pod; an
    /// [`Engine`](super::Engine) does.
    ///
    /// # Errors
    /// Why there is none.
    pub fn place(
        mut self,
        profile: &Profile,
        random: &dyn Random,
    ) -> Result<NodeId, Unschedulable> {
        let total = self.snapshot.nodes().len();
        let feasible = self.filter(profile).map_err(|refused| refused_all(refused, total))?;
        let nodes: Vec<NodeId> = feasible.nodes().iter().collect();
        match nodes.as_slice() {
            [] => Err(unschedulable(&feasible, total)),
            [only] => Ok(*only),
            _ => {
                let scores = self.score(profile, &nodes);
                Ok(nodes[pick_best(&scores, random)])
            }
        }
    }
}

/// The plugins whose filters have something to say. Which node a pod names its class does not know: of one that names
/// one all are asked.
pub(super) fn asked<'p>(
    profile: &'p Profile,
    pod: &PodInfo,
    snapshot: &Snapshot,
) -> SmallVec<[&'p Enabled; 32]> {
    let named = !pod.node_name.is_empty();
    let all = profile.plugins().iter().zip(reaches(profile, pod, snapshot));
    let asked = all.filter(|(_, reach)| named || *reach != Reach::Nothing);
    asked.map(|(enabled, _)| enabled).collect()
}

/// A plugin's own scores of these nodes; `false` when it has none to give.
pub(super) fn rate(
    cycle: &mut Cycle<'_>,
    enabled: &Enabled,
    nodes: &[NodeId],
    scores: &mut [i64],
) -> bool {
    let Some(score) = &enabled.at.score else { return false };
    if let Some(pre_score) = &enabled.at.pre_score
        && !pre_score.pre_score(cycle, nodes)
    {
        return false;
    }
    scores.fill(0);
    score.score(cycle, nodes, scores);
    true
}

pub(super) fn refused_all((plugin, reason): Refused, total: usize) -> Unschedulable {
    Unschedulable {
        message: format!("0/{total} nodes are available: {reason}."),
        plugins: vec![plugin],
        ..Unschedulable::default()
    }
}

pub(super) fn unschedulable(feasible: &Feasible, total: usize) -> Unschedulable {
    let mut plugins: Vec<_> = feasible.refusals().iter().map(|refusal| refusal.plugin).collect();
    plugins.sort_unstable();
    plugins.dedup();
    Unschedulable { message: feasible.message(total), plugins, ..Unschedulable::default() }
}

fn normalize(scores: &mut [i64], how: Normalization) {
    if how != Normalization::Final {
        let highest = scores.iter().max().copied().unwrap_or_default();
        scores.iter_mut().for_each(|score| *score = scale(*score, highest, how));
    }
}

/// One score by the highest of all.
pub(super) fn scale(score: i64, highest: i64, how: Normalization) -> i64 {
    let scaled = if highest == 0 { 0 } else { score * MAX_SCORE / highest };
    match how {
        Normalization::Final => score,
        Normalization::ByHighest => scaled,
        Normalization::ByHighestReversed => MAX_SCORE - scaled,
    }
}

/// The place of the highest score; a draw among equals.
pub(super) fn pick_best(scores: &[i64], random: &dyn Random) -> usize {
    let best = scores.iter().max().copied().unwrap_or_default();
    let count = scores.iter().filter(|score| **score == best).count().max(1);
    let draw = (random.next() % count as u64) as usize;
    let mut equals = scores.iter().enumerate().filter(|(_, score)| **score == best);
    equals.nth(draw).map_or(0, |(at, _)| at)
}
