//! What plugins keep of the cluster for themselves.

use crate::snapshot::NodeId;
use crate::{NodeInfo, PodInfo, Snapshot};
use std::any::Any;
use std::sync::Arc;
use windlass_core::Object;
use windlass_core::scheme::GroupVersionResource;

/// Columns of a plugin's own, kept up to date by the snapshot's changes: counts of pods by domain, claims by name.
///
/// Attached to a snapshot ([`crate::Snapshot::attach`]), found again by type ([`crate::Snapshot::columns`]); several
/// plugins may share one type. Each call tells of one change, after the snapshot shows it, before the next cycle.
/// A pod that changes is told as removed and added; of a node that goes, first all its pods are told as removed.
/// What is taken back (a placement that failed, an undone what-if) is told as a change of its own.
pub trait Columns: Any + Send + Sync {
    /// A copy that goes its own way.
    fn fork(&self) -> Box<dyn Columns>;

    /// Resources other than nodes and pods whose objects these columns follow.
    fn watches(&self) -> Vec<GroupVersionResource> {
        Vec::new()
    }

    /// A node came (`old` is none) or changed.
    fn node_set(
        &mut self,
        _snapshot: &Snapshot,
        _id: NodeId,
        _node: &Arc<NodeInfo>,
        _old: Option<&Arc<NodeInfo>>,
    ) {
    }

    /// A node went; its pods were told of before. Its number may be given to another one.
    fn node_removed(&mut self, _snapshot: &Snapshot, _id: NodeId, _node: &Arc<NodeInfo>) {}

    /// A pod is on a node, or on its way to it.
    fn pod_added(&mut self, _snapshot: &Snapshot, _id: NodeId, _pod: &Arc<PodInfo>) {}

    /// It is no more.
    fn pod_removed(&mut self, _snapshot: &Snapshot, _id: NodeId, _pod: &Arc<PodInfo>) {}

    /// An object of a resource that somebody watches (see [`Columns::watches`]: look which) came or changed.
    fn object_set(
        &mut self,
        _snapshot: &Snapshot,
        _resource: &GroupVersionResource,
        _object: &Arc<Object>,
    ) {
    }

    /// It went.
    fn object_removed(
        &mut self,
        _snapshot: &Snapshot,
        _resource: &GroupVersionResource,
        _object: &Arc<Object>,
    ) {
    }
}
