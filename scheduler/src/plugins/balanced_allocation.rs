//! CPU and memory of a node shall be used up evenly.

use crate::framework::{Cycle, Extensions, MAX_SCORE, Plugin, Reach, Score};
use crate::plugins::node_resources_fit::Column;
use crate::snapshot::{CPU, MEMORY, NodeId};
use crate::{PodClass, Snapshot};
use std::sync::Arc;

/// Prefers nodes on which the shares of CPU and memory in use are close together.
pub struct BalancedAllocation;

impl Plugin for BalancedAllocation {
    fn name(&self) -> &'static str {
        "NodeResourcesBalancedAllocation"
    }

    fn extensions(self: Arc<Self>) -> Extensions {
        Extensions { score: Some(self), ..Extensions::default() }
    }

    fn reach(&self, _: &PodClass, _: &Snapshot) -> Reach {
        Reach::Node
    }
}

impl Score for BalancedAllocation {
    fn score(&self, cycle: &Cycle<'_>, nodes: &[NodeId], scores: &mut [i64]) {
        let (cpu, memory) = (Column::new(cycle, CPU), Column::new(cycle, MEMORY));
        for (score, node) in scores.iter_mut().zip(nodes) {
            let deviation = (share(cpu.at(*node)) - share(memory.at(*node))).abs() / 2.0;
            *score = ((1.0 - deviation) * MAX_SCORE as f64) as i64;
        }
    }
}

fn share((has, used): (i64, i64)) -> f64 {
    if has <= 0 { 1.0 } else { (used as f64 / has as f64).min(1.0) }
}
