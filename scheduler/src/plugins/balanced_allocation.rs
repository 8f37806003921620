//! The resources of a node shall be used up evenly.

use crate::framework::{Cycle, Extensions, MAX_SCORE, Plugin, PreScore, Reach, Score};
use crate::plugins::resources::{
    Block, Column, Lanes, ResourceSpec, Usage, Weighted, floor, rate, weighted,
};
use crate::snapshot::NodeId;
use crate::{PodClass, Snapshot};
use serde::Deserialize;
use std::sync::Arc;

/// Prefers nodes where the pod brings the shares of resources in use closer together.
pub struct BalancedAllocation {
    resources: Vec<Weighted>,
}

/// The plugin's arguments, as in a `KubeSchedulerConfiguration`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct NodeResourcesBalancedAllocationArgs {
    /// The resources it looks at; none stands for CPU and memory. Weights don't matter.
    pub resources: Vec<ResourceSpec>,
}

/// The deviation of the shares seen so far, without keeping them.
#[derive(Default)]
struct Shares {
    count: u32,
    first: f64,
    last: f64,
    sum: f64,
}

// === impl BalancedAllocation ===

impl BalancedAllocation {
    /// With these arguments.
    #[must_use]
    pub fn new(args: NodeResourcesBalancedAllocationArgs) -> Self {
        Self { resources: weighted(args.resources) }
    }

    fn columns<'a>(&self, cycle: &Cycle<'a>) -> Vec<Column<'a>> {
        self.resources.iter().map(|resource| Column::new(cycle, *resource, false)).collect()
    }
}

impl Default for BalancedAllocation {
    fn default() -> Self {
        Self::new(NodeResourcesBalancedAllocationArgs::default())
    }
}

impl Plugin for BalancedAllocation {
    fn name(&self) -> &'static str {
        "NodeResourcesBalancedAllocation"
    }

    fn extensions(self: Arc<Self>) -> Extensions {
        Extensions { pre_score: Some(self.clone()), score: Some(self), ..Extensions::default() }
    }

    fn reach(&self, _: &PodClass, _: &Snapshot) -> Reach {
        Reach::Node
    }
}

impl PreScore for BalancedAllocation {
    /// A pod that asks for nothing brings nothing out of balance: all such would go to one node.
    fn pre_score(&self, cycle: &mut Cycle<'_>, _: &[NodeId]) -> bool {
        self.columns(cycle).iter().any(|column| column.adds() > 0)
    }
}

impl Score for BalancedAllocation {
    fn score(&self, cycle: &Cycle<'_>, nodes: &[NodeId], scores: &mut [i64]) {
        let columns = self.columns(cycle);
        let one = |node| change(&columns, node);
        match columns.len() {
            2 => rate(&columns, nodes, scores, |blocks| change_of_two(&blocks[0], &blocks[1]), one),
            _ => scores.iter_mut().zip(nodes).for_each(|(score, node)| *score = one(*node)),
        }
    }
}

/// What the pod changes of the balance of a node.
fn change(columns: &[Column<'_>], node: NodeId) -> i64 {
    let half = MAX_SCORE / 2;
    let shares = |amount: fn(Usage) -> i64| {
        columns.iter().filter_map(move |column| {
            let usage = column.at(node)?;
            Some((amount(usage) as f64 / usage.has as f64).min(1.0))
        })
    };
    let (with, without) = (balance(shares(|u| u.with)), balance(shares(|u| u.used)));
    half + (half + with - without) / 2
}

/// The same of many nodes, where two resources count.
fn change_of_two(a: &Block, b: &Block) -> Lanes {
    let mut scores = [0.0; _];
    let of_a = a.has.iter().zip(&a.used);
    let of_b = b.has.iter().zip(&b.used);
    for (score, ((has_a, used_a), (has_b, used_b))) in scores.iter_mut().zip(of_a.zip(of_b)) {
        let both = *has_a > 0.0 && *has_b > 0.0;
        let balance = |of_a: f64, of_b: f64| {
            let deviation = ((of_a / has_a).min(1.0) - (of_b / has_b).min(1.0)).abs() / 2.0;
            let deviation = if both { deviation } else { 0.0 };
            floor((1.0 - deviation) * 100.0)
        };
        let with = balance(used_a + a.adds, used_b + b.adds);
        let without = balance(*used_a, *used_b);
        *score = 50.0 + floor((50.0 + with - without) * 0.5);
    }
    scores
}

/// From half of [`MAX_SCORE`] to all of it: the closer together the better.
fn balance(shares: impl Iterator<Item = f64> + Clone) -> i64 {
    let mut seen = Shares::default();
    for share in shares.clone() {
        if seen.count == 0 {
            seen.first = share;
        }
        seen = Shares { count: seen.count + 1, last: share, sum: seen.sum + share, ..seen };
    }
    let deviation = match seen.count {
        0 | 1 => 0.0,
        2 => (seen.first - seen.last).abs() / 2.0,
        count => {
            let mean = seen.sum / f64::from(count);
            let squares = shares.fold(0.0, |sum, share| sum + (share - mean) * (share - mean));
            (squares / f64::from(count)).sqrt()
        }
    };
    ((1.0 - deviation) * MAX_SCORE as f64) as i64
}
