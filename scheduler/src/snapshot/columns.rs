//! Labels and taints turned round: from what nodes have to the nodes that have it.

use super::{NodeId, NodeSet, Topology};
use rustc_hash::FxHashMap;
use std::sync::OnceLock;
use windlass_core::apis::core::v1::Taint;
use windlass_core::meta::Str;

/// Label key → value → nodes. Lists, not bit sets: most values (host names) are of one node.
#[derive(Clone, Default)]
pub(super) struct Labels {
    by_key: FxHashMap<Str, Values>,
    of_node: FxHashMap<NodeId, Box<[(Str, Str)]>>,
}

/// The values of one key.
#[derive(Clone, Default)]
struct Values {
    nodes: FxHashMap<Str, Vec<NodeId>>,
    /// Made when somebody asks for it; kept up to date from then on.
    topology: OnceLock<Topology>,
}

/// Distinct taints with their nodes. There are few.
#[derive(Clone, Default)]
pub(super) struct Taints {
    all: Vec<(Taint, NodeSet)>,
}

impl Labels {
    pub(super) fn set(&mut self, id: NodeId, labels: &[(Str, Str)]) {
        if self.of_node.get(&id).is_some_and(|old| **old == *labels) {
            return;
        }
        for (key, value) in self.of_node.remove(&id).unwrap_or_default() {
            self.unfile(id, &key, &value);
        }
        for (key, value) in labels {
            let values = self.by_key.entry(key.clone()).or_default();
            let nodes = values.nodes.entry(value.clone()).or_default();
            if let Err(at) = nodes.binary_search(&id) {
                nodes.insert(at, id);
            }
            if let Some(topology) = values.topology.get_mut() {
                topology.set(id, value);
            }
        }
        if !labels.is_empty() {
            self.of_node.insert(id, labels.into());
        }
    }

    pub(super) fn values(&self, key: &str) -> impl Iterator<Item = (&Str, &[NodeId])> {
        let values = self.by_key.get(key).into_iter().flat_map(|values| &values.nodes);
        values.map(|(value, nodes)| (value, nodes.as_slice()))
    }

    pub(super) fn with(&self, key: &str, value: &str) -> &[NodeId] {
        let nodes = self.by_key.get(key).and_then(|values| values.nodes.get(value));
        nodes.map_or(&[], Vec::as_slice)
    }

    pub(super) fn topology(&self, key: &str) -> Option<&Topology> {
        let values = self.by_key.get(key)?;
        Some(values.topology.get_or_init(|| {
            let mut topology = Topology::default();
            for (value, nodes) in &values.nodes {
                nodes.iter().for_each(|id| topology.set(*id, value));
            }
            topology
        }))
    }

    fn unfile(&mut self, id: NodeId, key: &str, value: &str) {
        let Some(values) = self.by_key.get_mut(key) else { return };
        if let Some(nodes) = values.nodes.get_mut(value) {
            nodes.retain(|node| *node != id);
            if nodes.is_empty() {
                values.nodes.remove(value);
            }
        }
        if let Some(topology) = values.topology.get_mut() {
            topology.unset(id);
        }
        if values.nodes.is_empty() {
            self.by_key.remove(key);
        }
    }
}

impl Taints {
    pub(super) fn set(&mut self, id: NodeId, taints: &[Taint]) {
        self.all.iter_mut().for_each(|(_, nodes)| nodes.set(id, false));
        for taint in taints {
            let same = |(other, _): &&mut (Taint, NodeSet)| {
                (&other.key, &other.value, &other.effect)
                    == (&taint.key, &taint.value, &taint.effect)
            };
            match self.all.iter_mut().find(same) {
                Some((_, nodes)) => nodes.set(id, true),
                None => {
                    // When it was added says nothing about whether it is borne.
                    let taint = Taint { time_added: None, ..taint.clone() };
                    self.all.push((taint, [id].into_iter().collect()));
                }
            }
        }
        self.all.retain(|(_, nodes)| !nodes.is_empty());
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Taint, &NodeSet)> {
        self.all.iter().map(|(taint, nodes)| (taint, nodes))
    }
}
