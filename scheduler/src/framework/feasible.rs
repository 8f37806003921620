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
}

impl Feasible {
    pub(super) fn new(nodes: NodeSet) -> Self {
        Self { nodes, refusals: Vec::new(), plugin: "" }
    }

    pub(super) fn asking(&mut self, plugin: &'static str) {
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
        if !nodes.is_empty() {
            self.nodes.subtract(&nodes);
            self.refusals.push(Refusal { plugin: self.plugin, reason: reason.into(), nodes });
        }
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
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for refusal in &self.refusals {
            *counts.entry(&refusal.reason).or_default() += refusal.nodes.len();
        }
        let mut reasons: Vec<_> =
            counts.into_iter().map(|(reason, count)| format!("{count} {reason}")).collect();
        reasons.sort();
        format!("0/{total} nodes are available: {}.", reasons.join(", "))
    }
}
