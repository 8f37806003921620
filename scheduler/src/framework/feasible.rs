//! The nodes a pod can still go to, and why it can't to the others.

use super::Reason;
use crate::snapshot::{NodeId, NodeSet};
use std::collections::BTreeMap;

/// A shrinking set of nodes with the reasons of those that left it.
#[derive(Debug)]
pub struct Feasible {
    nodes: NodeSet,
    refusals: Vec<Refusal>,
    plugin: &'static str,
}

/// Nodes that one plugin refused for one reason.
#[derive(Debug)]
pub struct Refusal {
    /// The plugin.
    pub plugin: &'static str,
    /// In Kubernetes' words.
    pub reason: Reason,
    /// The nodes.
    pub nodes: NodeSet,
    /// It stays so whichever pods go (`UnschedulableAndUnresolvable`): preemption can't help there.
    pub for_good: bool,
}

impl Feasible {
    pub(crate) fn new(nodes: NodeSet) -> Self {
        Self { nodes, refusals: Vec::new(), plugin: "" }
    }

    pub(crate) fn asking(&mut self, plugin: &'static str) {
        self.plugin = plugin;
    }

    /// The nodes left.
    #[must_use]
    pub fn nodes(&self) -> &NodeSet {
        &self.nodes
    }

    /// Who refused what so far. A node may stand under several reasons of one plugin.
    #[must_use]
    pub fn refusals(&self) -> &[Refusal] {
        &self.refusals
    }

    /// Takes out all nodes but those in `keep`.
    pub fn keep(&mut self, keep: &NodeSet, reason: impl Into<Reason>) {
        let mut gone = self.nodes.clone();
        gone.subtract(keep);
        self.refuse(gone, reason);
    }

    /// Takes out these nodes. Several reasons may be given for a node by collecting the sets before any is taken out.
    pub fn refuse(&mut self, nodes: NodeSet, reason: impl Into<Reason>) {
        self.push(nodes, reason.into(), false);
    }

    /// The same, where it would stay so if pods went: the node itself is the reason.
    pub fn refuse_for_good(&mut self, nodes: NodeSet, reason: impl Into<Reason>) {
        self.push(nodes, reason.into(), true);
    }

    /// Takes out all nodes but those in `keep`, for good.
    pub fn keep_for_good(&mut self, keep: &NodeSet, reason: impl Into<Reason>) {
        let mut gone = self.nodes.clone();
        gone.subtract(keep);
        self.refuse_for_good(gone, reason);
    }

    fn push(&mut self, nodes: NodeSet, reason: Reason, for_good: bool) {
        if !nodes.is_empty() {
            self.nodes.subtract(&nodes);
            self.refusals.push(Refusal { plugin: self.plugin, reason, nodes, for_good });
        }
    }

    /// The nodes left, to keep.
    pub(crate) fn into_nodes(self) -> NodeSet {
        self.nodes
    }

    /// Who refused what, to keep.
    pub(crate) fn into_refusals(self) -> Vec<Refusal> {
        self.refusals
    }

    /// The refused nodes on which it may help that pods go.
    #[must_use]
    pub fn resolvable(&self) -> NodeSet {
        let mut helped = NodeSet::default();
        self.refusals.iter().for_each(|refusal| helped.unite(&refusal.nodes));
        for refusal in self.refusals.iter().filter(|refusal| refusal.for_good) {
            helped.subtract(&refusal.nodes);
        }
        helped
    }

    /// With other nodes that nobody had to be asked about.
    pub(crate) fn and_also(mut self, nodes: &NodeSet) -> Self {
        self.nodes.unite(nodes);
        self
    }

    /// Adds what was found out about the nodes left.
    pub(crate) fn append(&mut self, other: Self) {
        self.nodes.intersect(&other.nodes);
        self.refusals.extend(other.refusals);
    }

    /// Takes out the nodes for which `fits` says no.
    pub fn retain(&mut self, reason: &'static str, fits: impl Fn(NodeId) -> bool) {
        let gone = self.nodes.iter().filter(|id| !fits(*id)).collect();
        self.refuse(gone, reason);
    }

    /// `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable.`
    #[must_use]
    pub fn message(&self, total: usize) -> String {
        if total == 0 {
            return "no nodes available to schedule pods".into();
        }
        let counts = self.refusals.iter().map(|refusal| (&*refusal.reason, refusal.nodes.len()));
        format!("0/{total} nodes are available: {}.", histogram(counts))
    }
}

/// `1 Insufficient cpu, 2 node(s) were unschedulable`
pub(crate) fn histogram<'a>(reasons: impl Iterator<Item = (&'a str, usize)>) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    reasons.for_each(|(reason, count)| *counts.entry(reason).or_default() += count);
    let mut reasons: Vec<_> =
        counts.into_iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    reasons.sort();
    reasons.join(", ")
}
