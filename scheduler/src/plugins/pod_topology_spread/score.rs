//! Wishes: the fewer pods of the kind a node's places have, the better.

use super::count::{Eligible, groups};
use super::{PodTopologySpread, domain};
use crate::framework::{Cycle, PreScore, Score};
use crate::plugins::company::Company;
use crate::plugins::resources::percent;
use crate::snapshot::{NodeId, Topology};
use crate::{PodInfo, SpreadConstraint};

/// What each place adds to a node's score, for one constraint.
struct Added<'a> {
    topology: Option<&'a Topology>,
    by: By,
}

enum By {
    /// By place.
    Domain(Vec<f64>),
    /// Each node is a place; what the pods on it add.
    Node(Vec<f64>),
}

/// A node without all labels that are needed.
const IGNORED: i64 = -1;
const HOSTNAME: &str = "kubernetes.io/hostname";

impl PreScore for PodTopologySpread {
    fn pre_score(&self, cycle: &mut Cycle<'_>, _: &[NodeId]) -> bool {
        !self.constraints(cycle.snapshot, cycle.pod, false).is_empty()
    }
}

impl Score for PodTopologySpread {
    fn score(&self, cycle: &Cycle<'_>, nodes: &[NodeId], scores: &mut [i64]) {
        let (pod, snapshot) = (cycle.pod, cycle.snapshot);
        let Some(company) = snapshot.columns::<Company>() else { return };
        let constraints = self.constraints(snapshot, pod, false);
        // Kubernetes' own wishes count also where nodes have no zone.
        let all_labels = !pod.spread.is_empty() || !self.system;
        let topologies: Vec<_> =
            constraints.iter().map(|c| snapshot.topology(&c.topology_key)).collect();
        let lacks = |node: NodeId| topologies.iter().any(|t| domain(*t, node) == Topology::NONE);
        let mut rated = 0;
        for (score, node) in scores.iter_mut().zip(nodes) {
            *score = if all_labels && lacks(*node) { IGNORED } else { 0 };
            rated += usize::from(*score != IGNORED);
        }
        let eligible = Eligible::new(snapshot, pod, &constraints, all_labels);
        let added = constraints.iter().zip(&topologies).map(|(constraint, topology)| {
            let candidates = Candidates { nodes, scores, rated };
            let by = match &*constraint.topology_key {
                HOSTNAME => by_node(company, pod, constraint, &candidates),
                _ => by_domain(company, pod, constraint, *topology, &eligible, &candidates),
            };
            Added { topology: *topology, by }
        });
        let added: Vec<_> = added.collect();
        for (score, node) in scores.iter_mut().zip(nodes).filter(|(score, _)| **score != IGNORED) {
            *score = added.iter().map(|added| added.at(*node)).sum::<f64>().round() as i64;
        }
        normalize(scores);
    }
}

/// The nodes to rate.
struct Candidates<'a> {
    nodes: &'a [NodeId],
    scores: &'a [i64],
    rated: usize,
}

// === impl Candidates ===

impl Candidates<'_> {
    fn rated(&self) -> impl Iterator<Item = NodeId> {
        let rated = self.nodes.iter().zip(self.scores).filter(|(_, score)| **score != IGNORED);
        rated.map(|(node, _)| *node)
    }
}

// === impl Added ===

impl Added<'_> {
    fn at(&self, node: NodeId) -> f64 {
        let domain = domain(self.topology, node);
        if domain == Topology::NONE {
            return 0.0;
        }
        match &self.by {
            By::Domain(added) => added[domain as usize],
            By::Node(added) => added[node as usize],
        }
    }
}

/// Small topologies would drown in large ones: a pod counts the more the more places there are.
fn weight(places: usize) -> f64 {
    ((places + 2) as f64).ln()
}

/// The allowed skew is added, so that differences matter less where more skew is allowed.
fn added(pods: u32, weight: f64, constraint: &SpreadConstraint) -> f64 {
    f64::from(pods) * weight + f64::from(constraint.max_skew - 1)
}

fn by_node(
    company: &Company,
    pod: &PodInfo,
    constraint: &SpreadConstraint,
    candidates: &Candidates<'_>,
) -> By {
    let len = candidates.nodes.iter().max().map_or(0, |last| *last as usize + 1);
    let mut pods = vec![0u32; len];
    for (node, count) in groups(company, pod, constraint).flat_map(|group| &group.nodes) {
        if let Some(sum) = pods.get_mut(*node as usize) {
            *sum += count;
        }
    }
    let weight = weight(candidates.rated);
    By::Node(pods.into_iter().map(|pods| added(pods, weight, constraint)).collect())
}

fn by_domain(
    company: &Company,
    pod: &PodInfo,
    constraint: &SpreadConstraint,
    topology: Option<&Topology>,
    eligible: &Eligible,
    candidates: &Candidates<'_>,
) -> By {
    let mut pods = vec![0u32; topology.map_or(0, Topology::len)];
    let mut present = vec![false; pods.len()];
    let (mut places, mut nowhere) = (0, false);
    for node in candidates.rated() {
        match present.get_mut(domain(topology, node) as usize) {
            Some(present) => {
                places += usize::from(!*present);
                *present = true;
            }
            None => nowhere = true,
        }
    }
    let nodes = eligible.of(constraint);
    for (node, count) in groups(company, pod, constraint).flat_map(|group| &group.nodes) {
        if let Some(sum) = pods.get_mut(domain(topology, *node) as usize)
            && nodes.contains(*node)
        {
            *sum += count;
        }
    }
    // Nodes without the label are a place too, to Kubernetes.
    let weight = weight(places + usize::from(nowhere));
    By::Domain(pods.into_iter().map(|pods| added(pods, weight, constraint)).collect())
}

/// The fewer pods the better; nodes that lack a label come last.
fn normalize(scores: &mut [i64]) {
    let rated = || scores.iter().copied().filter(|score| *score != IGNORED);
    let (least, most) = (rated().min().unwrap_or(i64::MAX), rated().max().unwrap_or(0));
    for score in scores {
        *score = match *score {
            IGNORED => 0,
            _ if most == 0 => crate::framework::MAX_SCORE,
            pods => percent(most + least - pods, most),
        };
    }
}
