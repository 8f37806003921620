//! All nodes, in columns: what filters and scores read lies in arrays, node by node.
//!
//! Events keep it up to date; nothing is rebuilt. A node keeps its [`NodeId`] for as long as it is there.

mod columns;
mod resources;
mod set;

use resources::UNKNOWN;
pub use resources::{CPU, EPHEMERAL_STORAGE, MEMORY, PODS, ResourceId, Resources};
pub(crate) use resources::{name as resource_name, resource_amounts};
pub use set::NodeSet;

use crate::{HostPort, NodeInfo, PodInfo};
use columns::{Labels, Taints};
use rustc_hash::FxHashMap;
use std::sync::Arc;
use windlass_core::apis::core::v1::Taint;
use windlass_core::meta::Str;

/// The place of a node in the columns.
pub type NodeId = u32;

/// The cluster as the scheduler sees it, pods it has just placed included.
#[derive(Default)]
pub struct Snapshot {
    names: Vec<Str>,
    ids: FxHashMap<Str, NodeId>,
    free: Vec<NodeId>,
    present: NodeSet,
    unschedulable: NodeSet,
    labels: Labels,
    taints: Taints,
    allocatable: Vec<Vec<i64>>,
    requested: Vec<Vec<i64>>,
    non_zero: Vec<Vec<i64>>,
    ports: FxHashMap<NodeId, Vec<HostPort>>,
    pods: FxHashMap<Box<str>, Placed>,
    // Pods on nodes that are not there (yet), by the node's name.
    waiting: FxHashMap<Str, Vec<Box<str>>>,
}

struct Placed {
    pod: Arc<PodInfo>,
    node: Option<NodeId>,
}

impl Snapshot {
    /// Puts a node in, or changes it.
    pub fn set_node(&mut self, node: &NodeInfo) {
        let id = self.ids.get(&node.name).copied();
        let id = id.unwrap_or_else(|| self.add_node(node.name.clone()));
        self.labels.set(id, &node.labels);
        self.taints.set(id, &node.taints);
        self.unschedulable.set(id, node.unschedulable);
        self.allocatable.iter_mut().for_each(|column| column[id as usize] = 0);
        for &(resource, amount) in known(&node.allocatable) {
            self.column(resource);
            self.allocatable[resource as usize][id as usize] = amount;
        }
        for uid in self.waiting.remove(&node.name).unwrap_or_default() {
            self.settle(&uid, id);
        }
    }

    /// Takes a node out. Its pods wait for it to come back, or to be deleted.
    pub fn remove_node(&mut self, name: &str) {
        let Some((name, id)) = self.ids.remove_entry(name) else { return };
        self.labels.set(id, &[]);
        self.taints.set(id, &[]);
        self.unschedulable.set(id, false);
        self.present.set(id, false);
        self.free.push(id);
        for columns in [&mut self.allocatable, &mut self.requested, &mut self.non_zero] {
            columns.iter_mut().for_each(|column| column[id as usize] = 0);
        }
        self.ports.remove(&id);
        for (uid, placed) in self.pods.iter_mut().filter(|(_, placed)| placed.node == Some(id)) {
            placed.node = None;
            self.waiting.entry(name.clone()).or_default().push(uid.clone());
        }
    }

    /// Puts a pod on the node that it names, in the place of one with the same uid.
    pub fn set_pod(&mut self, pod: Arc<PodInfo>) {
        self.remove_pod(&pod.uid);
        let (uid, name) = (pod.uid.clone(), pod.node_name.clone());
        self.pods.insert(uid.clone(), Placed { pod, node: None });
        match self.ids.get(&name).copied() {
            Some(id) => self.settle(&uid, id),
            None => self.waiting.entry(name).or_default().push(uid),
        }
    }

    /// Takes a pod off its node. Does nothing for one that is on none.
    pub fn remove_pod(&mut self, uid: &str) {
        let Some(Placed { pod, node }) = self.pods.remove(uid) else { return };
        match node {
            Some(id) => self.account(id, &pod, -1),
            None => {
                if let Some(waiting) = self.waiting.get_mut(&pod.node_name) {
                    waiting.retain(|other| **other != *uid);
                    if waiting.is_empty() {
                        self.waiting.remove(&pod.node_name);
                    }
                }
            }
        }
    }

    /// Whether a pod is on a node, or on its way to one.
    #[must_use]
    pub fn has_pod(&self, uid: &str) -> bool {
        self.pods.contains_key(uid)
    }

    /// A pod that is on a node, or on its way to one.
    #[must_use]
    pub fn pod(&self, uid: &str) -> Option<&Arc<PodInfo>> {
        self.pods.get(uid).map(|placed| &placed.pod)
    }

    /// The nodes that are there.
    #[must_use]
    pub fn nodes(&self) -> &NodeSet {
        &self.present
    }

    /// The cordoned ones.
    #[must_use]
    pub fn unschedulable(&self) -> &NodeSet {
        &self.unschedulable
    }

    /// A node's name.
    #[must_use]
    pub fn name(&self, id: NodeId) -> &Str {
        &self.names[id as usize]
    }

    /// The node of this name.
    #[must_use]
    pub fn id(&self, name: &str) -> Option<NodeId> {
        self.ids.get(name).copied()
    }

    /// The nodes with a label, whatever its value, each with the value.
    pub fn label(&self, key: &str) -> impl Iterator<Item = (&Str, &[NodeId])> {
        self.labels.values(key)
    }

    /// The distinct taints, each with the nodes that have it.
    pub fn taints(&self) -> impl Iterator<Item = (&Taint, &NodeSet)> {
        self.taints.iter()
    }

    /// What each node has of a resource; empty when none has any.
    #[must_use]
    pub fn allocatable(&self, resource: ResourceId) -> &[i64] {
        self.allocatable.get(resource as usize).map_or(&[], Vec::as_slice)
    }

    /// What the pods on each node ask for of a resource; empty when none asks.
    #[must_use]
    pub fn requested(&self, resource: ResourceId) -> &[i64] {
        self.requested.get(resource as usize).map_or(&[], Vec::as_slice)
    }

    /// The same with the least amounts that scores assume.
    #[must_use]
    pub fn non_zero_requested(&self, resource: ResourceId) -> &[i64] {
        self.non_zero.get(resource as usize).map_or(&[], Vec::as_slice)
    }

    /// The nodes on which pods have host ports, with the ports.
    pub fn host_ports(&self) -> impl Iterator<Item = (NodeId, &[HostPort])> {
        self.ports.iter().map(|(id, ports)| (*id, ports.as_slice()))
    }

    fn add_node(&mut self, name: Str) -> NodeId {
        let id = self.free.pop().unwrap_or(self.names.len() as NodeId);
        if id as usize == self.names.len() {
            self.names.push(name.clone());
            for columns in [&mut self.allocatable, &mut self.requested, &mut self.non_zero] {
                columns.iter_mut().for_each(|column| column.push(0));
            }
        }
        self.names[id as usize] = name.clone();
        self.ids.insert(name, id);
        self.present.set(id, true);
        id
    }

    /// Makes sure there are columns for a resource.
    fn column(&mut self, resource: ResourceId) {
        for columns in [&mut self.allocatable, &mut self.requested, &mut self.non_zero] {
            while columns.len() <= resource as usize {
                columns.push(vec![0; self.names.len()]);
            }
        }
    }

    fn settle(&mut self, uid: &str, id: NodeId) {
        let Some(placed) = self.pods.get_mut(uid) else { return };
        placed.node = Some(id);
        let pod = placed.pod.clone();
        self.account(id, &pod, 1);
    }

    fn account(&mut self, id: NodeId, pod: &PodInfo, sign: i64) {
        for &(resource, amount) in known(&pod.requests) {
            self.column(resource);
            let sum = &mut self.requested[resource as usize][id as usize];
            *sum = sum.wrapping_add(sign * amount);
        }
        for &(resource, amount) in known(&pod.non_zero_requests) {
            self.column(resource);
            let sum = &mut self.non_zero[resource as usize][id as usize];
            *sum = sum.wrapping_add(sign * amount);
        }
        if !pod.host_ports.is_empty() {
            let ports = self.ports.entry(id).or_default();
            for port in &pod.host_ports {
                match sign {
                    1 => ports.push(port.clone()),
                    _ => drop(ports.iter().position(|p| p == port).map(|at| ports.swap_remove(at))),
                }
            }
        }
    }
}

/// The resources that have columns.
fn known(amounts: &Resources) -> impl Iterator<Item = &(ResourceId, i64)> {
    amounts.iter().filter(|(resource, _)| *resource != UNKNOWN)
}

#[cfg(test)]
mod tests;
