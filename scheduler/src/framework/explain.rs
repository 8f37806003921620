//! Node by node, what each plugin says of a pod.

use super::answers::reaches;
use super::cycle::asked;
use super::{Cycle, Feasible, Profile, Reach, Reason, Refusal};
use crate::snapshot::NodeId;
use crate::{PodInfo, Snapshot};
use windlass_core::meta::Str;

/// What the plugins of a profile say of a pod.
#[derive(Clone, Debug, Default)]
pub struct Explanation {
    /// A plugin that refuses the pod before any node is looked at, and why.
    pub refused: Option<(&'static str, Reason)>,
    /// Each node, the best first, then the others by name.
    pub nodes: Vec<NodeExplanation>,
}

/// What they say of a pod on one node.
#[derive(Clone, Debug)]
pub struct NodeExplanation {
    /// The node.
    pub node: Str,
    /// All who refuse it, each with its reasons.
    pub refusals: Vec<(&'static str, Reason)>,
    /// What each plugin's score adds, weight included; empty for a node that is refused.
    pub scores: Vec<(&'static str, i64)>,
}

// === impl NodeExplanation ===

impl NodeExplanation {
    /// Whether the pod may go there.
    #[must_use]
    pub fn fits(&self) -> bool {
        self.refusals.is_empty()
    }

    /// The sum of the scores.
    #[must_use]
    pub fn total(&self) -> i64 {
        self.scores.iter().map(|(_, score)| score).sum()
    }
}

// === impl Explanation ===

impl Explanation {
    /// Asks every plugin about every node, those that another one refused included.
    #[must_use]
    pub fn new(pod: &PodInfo, snapshot: &Snapshot, profile: &Profile) -> Self {
        let mut cycle = Cycle::new(pod, snapshot);
        let asked = asked(profile, pod, snapshot);
        for enabled in &asked {
            if let Some(pre_filter) = &enabled.at.pre_filter
                && let Err(reason) = pre_filter.pre_filter(&mut cycle)
            {
                return Self { refused: Some((enabled.plugin.name(), reason)), nodes: Vec::new() };
            }
        }
        let mut refusals: Vec<Refusal> = Vec::new();
        let mut fit = snapshot.nodes().clone();
        for enabled in &asked {
            if let Some(filter) = &enabled.at.filter {
                let mut feasible = Feasible::new(snapshot.nodes().clone());
                feasible.asking(enabled.plugin.name());
                filter.filter(&cycle, &mut feasible);
                fit.intersect(feasible.nodes());
                refusals.extend(feasible.into_refusals());
            }
        }
        let fit: Vec<NodeId> = fit.iter().collect();
        let mut scores: Vec<(&'static str, Vec<i64>)> = Vec::new();
        let rates = profile.plugins().iter().zip(reaches(profile, pod, snapshot));
        let rates = rates.filter(|(e, reach)| *reach != Reach::Nothing && e.at.score.is_some());
        for (enabled, _) in rates {
            let mut total = vec![0; fit.len()];
            cycle.add_scores(std::iter::once(enabled), &fit, &mut total);
            scores.push((enabled.plugin.name(), total));
        }
        let about = |id: NodeId| NodeExplanation {
            node: snapshot.name(id).clone(),
            refusals: refusals
                .iter()
                .filter(|refusal| refusal.nodes.contains(id))
                .map(|refusal| (refusal.plugin, refusal.reason.clone()))
                .collect(),
            scores: match fit.binary_search(&id) {
                Ok(at) => scores.iter().map(|(plugin, all)| (*plugin, all[at])).collect(),
                Err(_) => Vec::new(),
            },
        };
        let mut nodes: Vec<NodeExplanation> = snapshot.nodes().iter().map(about).collect();
        nodes.sort_by(|a, b| {
            let rank = |n: &NodeExplanation| (!n.fits(), -n.total());
            rank(a).cmp(&rank(b)).then_with(|| a.node.cmp(&b.node))
        });
        Self { refused: None, nodes }
    }
}
