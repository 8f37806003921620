//! Pods of a kind shall lie evenly over zones, hosts, racks (KEP-895).

mod count;
mod hints;
mod score;

use crate::framework::{Cycle, Extensions, Feasible, Filter, Plugin, Reach};
use crate::plugins::company::Company;
use crate::plugins::owners::Owners;
use crate::queue::ClusterEvent;
use crate::snapshot::{NodeId, NodeSet, Topology};
use crate::{PodClass, PodInfo, Snapshot, SpreadConstraint};
use count::{Domains, Eligible};
use serde::Deserialize;
use std::borrow::Cow;
use std::sync::Arc;
use windlass_core::apis::core::v1::TopologySpreadConstraint;

/// Refuses nodes where the pod would break a constraint that is a demand, and prefers by those that are wishes.
pub struct PodTopologySpread {
    defaults: Vec<SpreadConstraint>,
    system: bool,
}

/// The plugin's arguments, as in a `KubeSchedulerConfiguration`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PodTopologySpreadArgs {
    /// For pods that have no constraints of their own; only with [`DefaultingType::List`].
    pub default_constraints: Vec<TopologySpreadConstraint>,
    /// Where the constraints of such pods come from.
    pub defaulting_type: DefaultingType,
}

/// Where the constraints come from of pods that have none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum DefaultingType {
    /// Kubernetes' own: wishes to spread over hosts and zones.
    #[default]
    System,
    /// The arguments.
    List,
}

// === impl PodTopologySpread ===

impl PodTopologySpread {
    /// With these arguments.
    #[must_use]
    pub fn new(args: PodTopologySpreadArgs) -> Self {
        let read = |api| SpreadConstraint::new(api, &Default::default());
        let system = args.defaulting_type == DefaultingType::System;
        let defaults = match system {
            true => system_defaults().into(),
            false => args.default_constraints.into_iter().map(read).collect(),
        };
        Self { defaults, system }
    }

    /// The pod's demands or wishes. Its own, or else the default ones for all that is like it.
    fn constraints<'a>(
        &self,
        snapshot: &Snapshot,
        pod: &'a PodClass,
        hard: bool,
    ) -> Vec<Cow<'a, SpreadConstraint>> {
        if !pod.spread.is_empty() {
            let own = pod.spread.iter().filter(|constraint| constraint.hard == hard);
            return own.map(Cow::Borrowed).collect();
        }
        let mut defaults = self.defaults.iter().filter(|c| c.hard == hard).peekable();
        if defaults.peek().is_none() {
            return Vec::new();
        }
        let owners = snapshot.columns::<Owners>();
        let selector = owners.map(|owners| owners.selector(pod)).unwrap_or_default();
        if selector.is_everything() {
            return Vec::new();
        }
        let with = |constraint: &SpreadConstraint| {
            Cow::Owned(SpreadConstraint { selector: Some(selector.clone()), ..constraint.clone() })
        };
        defaults.map(with).collect()
    }
}

impl Default for PodTopologySpread {
    fn default() -> Self {
        Self::new(PodTopologySpreadArgs::default())
    }
}

fn system_defaults() -> [SpreadConstraint; 2] {
    let wish = |topology_key: &str, max_skew| {
        let api = TopologySpreadConstraint {
            max_skew,
            topology_key: topology_key.into(),
            when_unsatisfiable: "ScheduleAnyway".into(),
            ..TopologySpreadConstraint::default()
        };
        SpreadConstraint::new(api, &Default::default())
    };
    [wish("kubernetes.io/hostname", 3), wish("topology.kubernetes.io/zone", 5)]
}

impl Plugin for PodTopologySpread {
    fn name(&self) -> &'static str {
        "PodTopologySpread"
    }

    fn extensions(self: Arc<Self>) -> Extensions {
        Extensions {
            filter: Some(self.clone()),
            pre_score: Some(self.clone()),
            score: Some(self),
            columns: vec![|| Box::<Company>::default(), || Box::<Owners>::default()],
            ..Extensions::default()
        }
    }

    fn reach(&self, pod: &PodClass, snapshot: &Snapshot) -> Reach {
        let none = |hard| self.constraints(snapshot, pod, hard).is_empty();
        if none(true) && none(false) { Reach::Nothing } else { Reach::Cluster }
    }

    fn may_help(&self, event: &ClusterEvent, pod: &PodInfo) -> bool {
        hints::may_help(event, pod)
    }
}

impl Filter for PodTopologySpread {
    fn filter(&self, cycle: &Cycle<'_>, feasible: &mut Feasible) {
        let (pod, snapshot) = (cycle.pod, cycle.snapshot);
        let constraints = self.constraints(snapshot, pod, true);
        let Some(company) = snapshot.columns::<Company>() else { return };
        if constraints.is_empty() {
            return;
        }
        let eligible = Eligible::new(snapshot, pod, &constraints, true);
        for constraint in &constraints {
            let topology = snapshot.topology(&constraint.topology_key);
            let domains = Domains::count(company, pod, constraint, topology, &eligible);
            let limit = domains.least(constraint) + i64::from(constraint.max_skew)
                - i64::from(domains.counts_itself(pod, constraint));
            let (mut missing, mut full) = (NodeSet::default(), NodeSet::default());
            for node in feasible.nodes().iter() {
                match domain(topology, node) {
                    Topology::NONE => missing.set(node, true),
                    domain if domains.pods(domain) > limit => full.set(node, true),
                    _ => {}
                }
            }
            let reason = "node(s) didn't match pod topology spread constraints";
            feasible.refuse_for_good(missing, format!("{reason} (missing required label)"));
            feasible.refuse(full, reason);
        }
    }
}

/// The place of a node in a topology that there may not be.
fn domain(topology: Option<&Topology>, node: NodeId) -> u32 {
    topology.map_or(Topology::NONE, |topology| topology.of(node))
}
