//! All nodes, in columns: what filters and scores read lies in arrays, node by node.
//!
//! Events keep it up to date; nothing is rebuilt. A node keeps its [`NodeId`] for as long as it is there.

mod columns;
mod journal;
mod listeners;
mod resources;
mod set;
mod topology;

pub use journal::Version;
use resources::UNKNOWN;
pub use resources::{CPU, EPHEMERAL_STORAGE, MEMORY, PODS, ResourceId, Resources};
pub(crate) use resources::{name as resource_name, resource_amounts};
pub use set::NodeSet;
pub use topology::{DomainId, Topology};

use crate::{HostPort, NodeInfo, PodInfo};
use columns::{Labels, Taints};
use journal::Journal;
use listeners::Listeners;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::sync::Arc;
use windlass_core::apis::core::v1::Taint;
use windlass_core::meta::Str;

/// The place of a node in the columns.
pub type NodeId = u32;

/// The cluster as the scheduler sees it, pods it has just placed included. A clone goes its own way.
#[derive(Clone, Default)]
pub struct Snapshot {
    names: Vec<Str>,
    infos: Vec<Arc<NodeInfo>>,
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
    on_node: Vec<Vec<Arc<PodInfo>>>,
    pods: FxHashMap<Box<str>, Placed>,
    // Pods on nodes that are not there (yet), by the node's name.
    waiting: FxHashMap<Str, Vec<Box<str>>>,
    journal: Journal,
    listeners: Listeners,
    // How many pods of which priority there are on nodes.
    priorities: BTreeMap<i32, usize>,
}

#[derive(Clone)]
struct Placed {
    pod: Arc<PodInfo>,
    at: Place,
}

/// Where a pod is: on a node, or it waits for the node of a name.
#[derive(Clone)]
enum Place {
    Node(NodeId),
    Waits(Str),
}

impl Snapshot {
    /// Puts a node in, or changes it.
    pub fn set_node(&mut self, node: impl Into<Arc<NodeInfo>>) {
        let node: Arc<NodeInfo> = node.into();
        let known = self.ids.get(&node.name).copied();
        let old = known.map(|id| self.infos[id as usize].clone());
        let id = known.unwrap_or_else(|| self.add_node(&node));
        self.infos[id as usize] = node.clone();
        self.labels.set(id, &node.labels);
        self.taints.set(id, &node.taints);
        self.unschedulable.set(id, node.unschedulable);
        self.allocatable.iter_mut().for_each(|column| column[id as usize] = 0);
        for &(resource, amount) in known_resources(&node.allocatable) {
            self.column(resource);
            self.allocatable[resource as usize][id as usize] = amount;
        }
        self.journal.touch_node(id);
        self.tell_node_set(id, old.as_ref());
        for uid in self.waiting.remove(&node.name).unwrap_or_default() {
            if let Some(placed) = self.pods.get(&uid) {
                self.settle(placed.pod.clone(), id);
            }
        }
    }

    /// Takes a node out. Its pods wait for it to come back, or to be deleted.
    pub fn remove_node(&mut self, name: &str) {
        let Some((name, id)) = self.ids.remove_entry(name) else { return };
        for pod in std::mem::take(&mut self.on_node[id as usize]) {
            self.account(id, &pod, -1);
            // Those who are told see that it is not there.
            self.pods.remove(&pod.uid);
            self.tell_pod_removed(id, &pod);
            self.wait(pod, name.clone());
        }
        self.labels.set(id, &[]);
        self.taints.set(id, &[]);
        self.unschedulable.set(id, false);
        self.present.set(id, false);
        self.free.push(id);
        self.allocatable.iter_mut().for_each(|column| column[id as usize] = 0);
        self.ports.remove(&id);
        self.journal.touch_node(id);
        let node = self.infos[id as usize].clone();
        self.tell_node_removed(id, &node);
    }

    /// Puts a pod on the node that it names, in the place of one with the same uid.
    pub fn set_pod(&mut self, pod: Arc<PodInfo>) {
        match self.ids.get(&pod.node_name).copied() {
            Some(id) => self.place(pod, id),
            None => {
                self.remove_pod(&pod.uid);
                let name = pod.node_name.clone();
                self.wait(pod, name);
            }
        }
    }

    /// Puts a pod on a node, whatever node it names itself, in the place of one with the same uid.
    pub fn place(&mut self, pod: Arc<PodInfo>, id: NodeId) {
        if let Some(placed) = self.pods.get_mut(&pod.uid) {
            if matches!(placed.at, Place::Node(at) if at == id) && placed.pod.counts_like(&pod) {
                // It is counted already.
                let list = &mut self.on_node[id as usize];
                if let Some(slot) = list.iter_mut().find(|other| Arc::ptr_eq(other, &placed.pod)) {
                    slot.clone_from(&pod);
                }
                placed.pod = pod;
                return;
            }
            self.remove_pod(&pod.uid);
        }
        self.settle(pod, id);
    }

    /// Takes a pod off its node. Does nothing for one that is on none.
    pub fn remove_pod(&mut self, uid: &str) {
        let Some(Placed { pod, at }) = self.pods.remove(uid) else { return };
        match at {
            Place::Node(id) => self.lift(&pod, id),
            Place::Waits(name) => {
                if let Some(waiting) = self.waiting.get_mut(&name) {
                    waiting.retain(|other| **other != *uid);
                    if waiting.is_empty() {
                        self.waiting.remove(&name);
                    }
                }
            }
        }
    }

    /// From now on pods are moved for a try. All must be as it was before the trial ends: what was answered before counts
    /// afterwards. Returns what to end it with.
    pub(crate) fn begin_trial(&mut self) -> bool {
        std::mem::replace(&mut self.journal.trial, true)
    }

    /// All is as it was.
    pub(crate) fn end_trial(&mut self, outer: bool) {
        self.journal.trial = outer;
    }

    /// Takes a pod off its node for a try. By its uid it is still found there.
    pub(crate) fn lift(&mut self, pod: &Arc<PodInfo>, id: NodeId) {
        let list = &mut self.on_node[id as usize];
        if let Some(at) = list.iter().position(|other| Arc::ptr_eq(other, pod)) {
            list.swap_remove(at);
        }
        self.account(id, pod, -1);
        self.tell_pod_removed(id, pod);
    }

    /// Takes back what was lifted.
    pub(crate) fn put_back(&mut self, pod: &Arc<PodInfo>, id: NodeId) {
        self.account(id, pod, 1);
        self.on_node[id as usize].push(pod.clone());
        self.tell_pod_added(id, pod);
    }

    /// The pods on a node, those on their way to it included, in no order.
    #[must_use]
    pub fn pods_on(&self, id: NodeId) -> &[Arc<PodInfo>] {
        self.on_node.get(id as usize).map_or(&[], Vec::as_slice)
    }

    /// The node a pod is on; none when that is not there.
    #[must_use]
    pub fn node_of(&self, uid: &str) -> Option<NodeId> {
        match self.pods.get(uid)?.at {
            Place::Node(id) => Some(id),
            Place::Waits(_) => None,
        }
    }

    /// How many pods are on nodes, or on their way.
    #[must_use]
    pub fn pod_count(&self) -> usize {
        self.pods.len()
    }

    /// The lowest priority of a pod on a node.
    #[must_use]
    pub fn lowest_priority(&self) -> Option<i32> {
        self.priorities.keys().next().copied()
    }

    /// What is known of a node that is there.
    #[must_use]
    pub fn node(&self, id: NodeId) -> &Arc<NodeInfo> {
        &self.infos[id as usize]
    }

    /// One more than the greatest number of a node: how long an array by node must be.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.names.len()
    }

    /// The point reached in its life.
    #[must_use]
    pub fn version(&self) -> Version {
        self.journal.now()
    }

    /// The nodes on which something changed since, some more than once; none when that is too long ago to know.
    pub fn changed_since(&self, then: Version) -> Option<impl Iterator<Item = NodeId>> {
        self.journal.since(then)
    }

    /// The domains that a label key divides the nodes into; none when no node has it. The first question about
    /// a key costs a look at all its nodes, those after it nothing.
    #[must_use]
    pub fn topology(&self, key: &str) -> Option<&Topology> {
        self.labels.topology(key)
    }

    /// The nodes with this label.
    #[must_use]
    pub fn with_label(&self, key: &str, value: &str) -> &[NodeId] {
        self.labels.with(key, value)
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

    fn add_node(&mut self, node: &Arc<NodeInfo>) -> NodeId {
        let name = node.name.clone();
        let id = self.free.pop().unwrap_or(self.names.len() as NodeId);
        if id as usize == self.names.len() {
            self.names.push(name.clone());
            self.infos.push(node.clone());
            self.on_node.push(Vec::new());
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

    fn settle(&mut self, pod: Arc<PodInfo>, id: NodeId) {
        self.put_back(&pod, id);
        self.pods.insert(pod.uid.clone(), Placed { pod, at: Place::Node(id) });
    }

    fn count_priority(&mut self, priority: i32, sign: i64) {
        let count = self.priorities.entry(priority).or_default();
        *count = count.saturating_add_signed(sign as isize);
        if *count == 0 {
            self.priorities.remove(&priority);
        }
    }

    fn wait(&mut self, pod: Arc<PodInfo>, name: Str) {
        self.waiting.entry(name.clone()).or_default().push(pod.uid.clone());
        self.pods.insert(pod.uid.clone(), Placed { pod, at: Place::Waits(name) });
    }

    fn account(&mut self, id: NodeId, pod: &PodInfo, sign: i64) {
        self.journal.touch(id);
        if !self.journal.trial {
            self.count_priority(pod.priority, sign);
        }
        for &(resource, amount) in known_resources(&pod.requests) {
            self.column(resource);
            let sum = &mut self.requested[resource as usize][id as usize];
            *sum = sum.wrapping_add(sign * amount);
        }
        for &(resource, amount) in known_resources(&pod.non_zero_requests) {
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
fn known_resources(amounts: &Resources) -> impl Iterator<Item = &(ResourceId, i64)> {
    amounts.iter().filter(|(resource, _)| *resource != UNKNOWN)
}

#[cfg(test)]
mod tests;
