//! Which pods a pod must, or would rather, be near to or far from.

mod hints;
mod score;

use crate::framework::{Cycle, Extensions, Feasible, Filter, Plugin, Reach};
use crate::plugins::company::Company;
use crate::queue::ClusterEvent;
use crate::snapshot::{NodeId, Topology};
use crate::{NodeSet, PodClass, PodInfo, PodTerm, Snapshot};
use serde::Deserialize;
use std::sync::Arc;

/// Refuses nodes that the required affinity and anti-affinity of the pod leaves out, and those where pods are that
/// must not be with it; prefers nodes by the preferred terms of both sides.
pub struct InterPodAffinity {
    args: InterPodAffinityArgs,
}

/// The plugin's arguments, as in a `KubeSchedulerConfiguration`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct InterPodAffinityArgs {
    /// How much it counts that pods there have a required affinity to the pod.
    pub hard_pod_affinity_weight: i32,
    /// What pods there prefer counts only for pods that prefer something themselves.
    pub ignore_preferred_terms_of_existing_pods: bool,
}

/// Some places of one topology.
struct Places<'a> {
    topology: Option<&'a Topology>,
    chosen: Vec<bool>,
    any: bool,
}

// === impl InterPodAffinity ===

impl InterPodAffinity {
    /// With these arguments.
    #[must_use]
    pub fn new(args: InterPodAffinityArgs) -> Self {
        Self { args }
    }
}

impl Default for InterPodAffinity {
    fn default() -> Self {
        Self::new(InterPodAffinityArgs::default())
    }
}

impl Default for InterPodAffinityArgs {
    fn default() -> Self {
        Self { hard_pod_affinity_weight: 1, ignore_preferred_terms_of_existing_pods: false }
    }
}

impl Plugin for InterPodAffinity {
    fn name(&self) -> &'static str {
        "InterPodAffinity"
    }

    fn extensions(self: Arc<Self>) -> Extensions {
        Extensions {
            filter: Some(self.clone()),
            pre_score: Some(self.clone()),
            score: Some(self),
            columns: vec![|| Box::<Company>::default()],
            ..Extensions::default()
        }
    }

    fn reach(&self, pod: &PodClass, snapshot: &Snapshot) -> Reach {
        let company = snapshot.columns::<Company>();
        let heard = |company: &Company| {
            let labels = company.namespaces.get(&pod.namespace);
            company.forbidden.about(pod, labels).next().is_some()
                || company.liked.about(pod, labels).next().is_some()
        };
        let quiet = pod.pod_terms.is_none() && !company.is_some_and(heard);
        if quiet { Reach::Nothing } else { Reach::Cluster }
    }

    fn may_help(&self, event: &ClusterEvent, pod: &PodInfo) -> bool {
        hints::may_help(event, pod)
    }
}

impl Filter for InterPodAffinity {
    fn filter(&self, cycle: &Cycle<'_>, feasible: &mut Feasible) {
        let Some(company) = cycle.snapshot.columns::<Company>() else { return };
        if let Some(terms) = &cycle.pod.pod_terms {
            if !terms.required.is_empty() {
                with(company, cycle, &terms.required, feasible);
            }
            for term in &terms.anti_required {
                let places = Places::of(cycle.snapshot, term, company.nodes_of(term).iter());
                places.refuse(feasible, "node(s) didn't match pod anti-affinity rules");
            }
        }
        unwanted(company, cycle, feasible);
    }
}

/// Keeps the nodes that are near to pods that all terms mean.
fn with(company: &Company, cycle: &Cycle<'_>, terms: &[PodTerm], feasible: &mut Feasible) {
    let (pod, snapshot) = (cycle.pod, cycle.snapshot);
    let labels = |namespace: &str| company.namespaces.get(namespace);
    let all = |namespace: &str, of_pod: &_| {
        terms.iter().all(|term| term.matches(namespace, of_pod, labels(namespace)))
    };
    let groups = company.groups.meant(&terms[0], &company.namespaces);
    let groups = groups.filter(|group| all(&group.namespace, &group.labels));
    let nodes: NodeSet = groups.flat_map(|group| group.nodes.keys().copied()).collect();
    let places: Vec<Places<'_>> =
        terms.iter().map(|term| Places::of(snapshot, term, nodes.iter())).collect();
    // The first of a series that wants to be with its like: there is none yet, and it is one of them.
    let first = !places.iter().any(|p| p.any) && all(&pod.namespace, &pod.labels);
    let near = |node: &NodeId| {
        places.iter().all(|places| if first { places.knows(*node) } else { places.hold(*node) })
    };
    let near: NodeSet = feasible.nodes().iter().filter(near).collect();
    feasible.keep_for_good(&near, "node(s) didn't match pod affinity rules");
}

/// Refuses the nodes near to pods that must not be with this one.
fn unwanted(company: &Company, cycle: &Cycle<'_>, feasible: &mut Feasible) {
    let labels = company.namespaces.get(&cycle.pod.namespace);
    let mut by_key: Vec<(&str, Places<'_>)> = Vec::new();
    for held in company.forbidden.about(cycle.pod, labels) {
        let nodes = held.nodes.keys().copied();
        match by_key.iter_mut().find(|(key, _)| *key == &*held.term.topology_key) {
            Some((_, places)) => places.choose(nodes),
            None => {
                by_key
                    .push((&held.term.topology_key, Places::of(cycle.snapshot, &held.term, nodes)));
            }
        }
    }
    for (_, places) in by_key {
        places.refuse(feasible, "node(s) didn't satisfy existing pods anti-affinity rules");
    }
}

// === impl Places ===

impl<'a> Places<'a> {
    /// The places that these nodes are in.
    fn of(snapshot: &'a Snapshot, term: &PodTerm, nodes: impl Iterator<Item = NodeId>) -> Self {
        let topology = snapshot.topology(&term.topology_key);
        let chosen = vec![false; topology.map_or(0, Topology::len)];
        let mut places = Self { topology, chosen, any: false };
        places.choose(nodes);
        places
    }

    fn choose(&mut self, nodes: impl Iterator<Item = NodeId>) {
        let Some(topology) = self.topology else { return };
        for node in nodes {
            if let Some(chosen) = self.chosen.get_mut(topology.of(node) as usize) {
                *chosen = true;
                self.any = true;
            }
        }
    }

    /// Whether a node is in one of them.
    fn hold(&self, node: NodeId) -> bool {
        let at = self.topology.map_or(Topology::NONE, |topology| topology.of(node));
        self.chosen.get(at as usize).copied().unwrap_or(false)
    }

    /// Whether a node is in any place of the topology.
    fn knows(&self, node: NodeId) -> bool {
        self.topology.is_some_and(|topology| topology.of(node) != Topology::NONE)
    }

    fn refuse(&self, feasible: &mut Feasible, reason: &'static str) {
        if self.any {
            feasible.retain(reason, |node| !self.hold(node));
        }
    }
}
