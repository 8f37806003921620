//! One scheduling cycle: from a pod and a snapshot to a node, without I/O.

use super::{Feasible, MAX_SCORE, Normalization, Profile, Reason};
use crate::snapshot::NodeId;
use crate::{PodInfo, Snapshot};
use rustc_hash::FxHashMap;
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
        for (enabled, pre_filter) in profile.at(|at| at.pre_filter.as_ref()) {
            pre_filter.pre_filter(self).map_err(|reason| (enabled.plugin.name(), reason))?;
        }
        let mut feasible = Feasible::new(self.snapshot.nodes().clone());
        for (enabled, filter) in profile.at(|at| at.filter.as_ref()) {
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
        let mut total = vec![0; nodes.len()];
        let mut scores = vec![0; nodes.len()];
        for enabled in profile.plugins() {
            let Some(score) = &enabled.at.score else { continue };
            if let Some(pre_score) = &enabled.at.pre_score
                && !pre_score.pre_score(self, nodes)
            {
                continue;
            }
            scores.fill(0);
            score.score(self, nodes, &mut scores);
            normalize(&mut scores, score.normalization());
            total.iter_mut().zip(&scores).for_each(|(sum, score)| *sum += enabled.weight * score);
        }
        total
    }

    /// The best node: filters, then scores, then a draw among the equals.
    ///
    /// # Errors
    /// Why there is none.
    pub fn place(
        mut self,
        profile: &Profile,
        random: &dyn Random,
    ) -> Result<NodeId, Unschedulable> {
        let total = self.snapshot.nodes().len();
        let feasible = self.filter(profile).map_err(|(plugin, reason)| Unschedulable {
            message: format!("0/{total} nodes are available: {reason}."),
            plugins: vec![plugin],
            nominated: None,
        })?;
        let nodes: Vec<NodeId> = feasible.nodes().iter().collect();
        match nodes.as_slice() {
            [] => Err(self.unschedulable(profile, &feasible)),
            [only] => Ok(*only),
            _ => {
                let scores = self.score(profile, &nodes);
                Ok(nodes[pick_best(&scores, random)])
            }
        }
    }

    fn unschedulable(&self, profile: &Profile, feasible: &Feasible) -> Unschedulable {
        let refusals = feasible.refusals().iter();
        let mut plugins: Vec<_> = refusals.map(|refusal| refusal.plugin).collect();
        plugins.sort_unstable();
        plugins.dedup();
        let mut makers = profile.at(|at| at.post_filter.as_ref());
        let nominated = makers.find_map(|(_, maker)| maker.post_filter(self, feasible));
        let nominated = nominated.map(|id| self.snapshot.name(id).clone());
        let message = feasible.message(self.snapshot.nodes().len());
        Unschedulable { message, plugins, nominated }
    }
}

fn normalize(scores: &mut [i64], how: Normalization) {
    if how == Normalization::Final {
        return;
    }
    let reverse = how == Normalization::ByHighestReversed;
    let highest = scores.iter().max().copied().unwrap_or_default();
    for score in scores {
        let scaled = if highest == 0 { 0 } else { *score * MAX_SCORE / highest };
        *score = if reverse { MAX_SCORE - scaled } else { scaled };
    }
}

fn pick_best(scores: &[i64], random: &dyn Random) -> usize {
    let best = scores.iter().max().copied().unwrap_or_default();
    let equals: Vec<usize> = (0..scores.len()).filter(|at| scores[*at] == best).collect();
    equals[(random.next() % equals.len() as u64) as usize]
}
