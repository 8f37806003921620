//! Shares of resources in use, for the plugins that score by them.

mod lanes;

pub(super) use lanes::{Block, Lanes, floor, rate};

use crate::framework::{Cycle, MAX_SCORE};
use crate::snapshot::{CPU, EPHEMERAL_STORAGE, MEMORY, NodeId, ResourceId, resource_amounts};
use serde::Deserialize;
use windlass_core::meta::Quantity;

/// A resource that a score looks at (`ResourceSpec` of a `KubeSchedulerConfiguration`).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ResourceSpec {
    /// Its name.
    pub name: String,
    /// How often it counts; 0 stands for 1.
    #[serde(default)]
    pub weight: i64,
}

/// A resource by number, with its weight.
pub(super) type Weighted = (ResourceId, i64);

/// One resource of all nodes, with what the pod would add.
pub(super) struct Column<'a> {
    has: &'a [i64],
    used: &'a [i64],
    adds: i64,
    pub(super) weight: i64,
}

/// A resource of one node.
#[derive(Clone, Copy)]
pub(super) struct Usage {
    pub(super) has: i64,
    /// What its pods ask for.
    pub(super) used: i64,
    /// The same with the new pod.
    pub(super) with: i64,
}

/// CPU and memory, each once.
pub(super) fn cpu_and_memory() -> Vec<ResourceSpec> {
    ["cpu", "memory"].map(|name| ResourceSpec { name: name.into(), weight: 1 }).into()
}

/// The resources by number; CPU and memory when there are none.
pub(super) fn weighted(specs: Vec<ResourceSpec>) -> Vec<Weighted> {
    let specs = if specs.is_empty() { cpu_and_memory() } else { specs };
    let weights: Vec<i64> = specs.iter().map(|spec| spec.weight.max(1)).collect();
    let one = Quantity::from_units(1);
    let ids = resource_amounts(specs.into_iter().map(|spec| (spec.name, one)));
    ids.into_iter().map(|(id, _)| id).zip(weights).collect()
}

/// `100 * part / whole`, rounded down. Division of integers is slow; this one is not, and as exact.
pub(super) fn percent(part: i64, whole: i64) -> i64 {
    let part = part * MAX_SCORE;
    let near = (part as f64 / whole as f64) as i64;
    near - i64::from(near * whole > part) + i64::from((near + 1) * whole <= part)
}

// === impl Column ===

impl<'a> Column<'a> {
    /// What pods ask for; with `assume` a least amount of CPU and memory where they ask for none.
    pub(super) fn new(cycle: &Cycle<'a>, (resource, weight): Weighted, assume: bool) -> Self {
        let (pod, snapshot) = (cycle.pod, cycle.snapshot);
        let (asked, used) = match assume {
            true => (&pod.non_zero_requests, snapshot.non_zero_requested(resource)),
            false => (&pod.requests, snapshot.requested(resource)),
        };
        let adds = asked.iter().find(|(r, _)| *r == resource).map_or(0, |(_, amount)| *amount);
        let native = matches!(resource, CPU | MEMORY | EPHEMERAL_STORAGE);
        // A node is no better or worse for an extended resource that the pod does not want.
        let has = if native || adds > 0 { snapshot.allocatable(resource) } else { &[] };
        Self { has, used, adds, weight }
    }

    pub(super) fn adds(&self) -> i64 {
        self.adds
    }

    /// None when the node has none of it.
    pub(super) fn at(&self, node: NodeId) -> Option<Usage> {
        let at = |column: &[i64]| column.get(node as usize).copied().unwrap_or(0);
        let (has, used) = (at(self.has), at(self.used));
        (has > 0).then_some(Usage { has, used, with: used + self.adds })
    }
}
