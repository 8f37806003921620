//! Pods that are promised a node, until what is in their way has gone (KEP-5278's nominator).

use crate::snapshot::{NodeId, NodeSet};
use crate::{PodInfo, Snapshot};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::sync::Arc;
use windlass_core::meta::Str;

/// Who is promised which node.
#[derive(Clone, Default)]
pub struct Nominated {
    pods: FxHashMap<Box<str>, (Str, Arc<PodInfo>)>,
    /// The same by node.
    by_node: FxHashMap<Str, SmallVec<[Arc<PodInfo>; 1]>>,
    statuses: FxHashMap<Box<str>, Status>,
}

/// What is known of a pod's `status.nominatedNodeName`.
#[derive(Clone, Default)]
struct Status {
    seen: Str,
    /// What this scheduler writes there and has not seen yet, in this order.
    coming: VecDeque<Str>,
}

/// So many writes of one pod are on their way at most; many of them are never made.
const MOST_COMING: usize = 8;

/// A promise that another pod has to heed.
pub(crate) type Promise = (NodeId, Arc<PodInfo>);

impl Nominated {
    /// Promises a node to a pod, in the place of what it was promised before.
    pub fn set(&mut self, pod: &Arc<PodInfo>, node: Str) {
        self.remove(&pod.uid);
        self.by_node.entry(node.clone()).or_default().push(pod.clone());
        self.pods.insert(pod.uid.clone(), (node, pod.clone()));
    }

    /// Promises a node and says so in the pod's status: what [`Nominated::heard`] says of it later is nothing new.
    pub(crate) fn promise(&mut self, pod: &Arc<PodInfo>, node: Str) {
        let coming = &mut self.statuses.entry(pod.uid.clone()).or_default().coming;
        if coming.back() != Some(&node) {
            coming.push_back(node.clone());
            if coming.len() > MOST_COMING {
                coming.pop_front();
            }
        }
        self.set(pod, node);
    }

    /// A pod's status was seen. What others wrote there counts: a promise, or that one is taken back.
    pub(crate) fn heard(&mut self, pod: &Arc<PodInfo>) {
        let said = &pod.nominated_node_name;
        if said.is_empty() && !self.statuses.contains_key(&pod.uid) {
            return;
        }
        let status = self.statuses.entry(pod.uid.clone()).or_default();
        let before = std::mem::replace(&mut status.seen, said.clone());
        if before == *said {
            return;
        }
        if let Some(at) = status.coming.iter().position(|node| node == said) {
            status.coming.drain(..=at);
        } else if !said.is_empty() {
            self.set(pod, said.clone());
        } else if self.node(&pod.uid) == Some(&before) {
            self.remove(&pod.uid);
        }
    }

    /// The pod is placed, or is no more.
    pub(crate) fn forget(&mut self, uid: &str) {
        self.remove(uid);
        self.statuses.remove(uid);
    }

    /// Takes a pod's promise back. Returns whether it had one.
    pub fn remove(&mut self, uid: &str) -> bool {
        let Some((node, _)) = self.pods.remove(uid) else { return false };
        if let Some(pods) = self.by_node.get_mut(&node) {
            pods.retain(|pod| *pod.uid != *uid);
            if pods.is_empty() {
                self.by_node.remove(&node);
            }
        }
        true
    }

    /// Whether nobody is promised anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pods.is_empty()
    }

    /// The node a pod is promised.
    #[must_use]
    pub fn node(&self, uid: &str) -> Option<&Str> {
        self.pods.get(uid).map(|(node, _)| node)
    }

    /// The pods that are promised a node.
    pub(crate) fn on(&self, node: &str) -> impl Iterator<Item = &Arc<PodInfo>> {
        self.by_node.get(node).into_iter().flatten()
    }

    /// The pods of lower priority that are promised a node: a greater one takes it.
    pub fn below(&self, node: &str, priority: i32) -> impl Iterator<Item = &Arc<PodInfo>> {
        self.on(node).filter(move |pod| pod.priority < priority)
    }

    /// What a pod has to heed on these nodes: promises to others that are no lower than it.
    pub(crate) fn heeded_by(
        &self,
        pod: &PodInfo,
        snapshot: &Snapshot,
        nodes: &NodeSet,
    ) -> Vec<Promise> {
        let heeds = |other: &&Arc<PodInfo>| {
            other.uid != pod.uid && other.priority >= pod.priority && !snapshot.has_pod(&other.uid)
        };
        let on = |id: NodeId| {
            let others = self.on(snapshot.name(id)).filter(heeds);
            others.map(move |other| (id, other.clone()))
        };
        // Few nodes are asked about where many are promised, or the other way round.
        if nodes.len() < self.by_node.len() {
            nodes.iter().flat_map(on).collect()
        } else {
            let promised = self.by_node.keys().filter_map(|name| snapshot.id(name));
            promised.filter(|id| nodes.contains(*id)).flat_map(on).collect()
        }
    }
}
