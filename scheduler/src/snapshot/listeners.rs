//! Columns that plugins keep beside those of the snapshot.

use super::{NodeId, Snapshot};
use crate::framework::Columns;
use crate::{NodeInfo, PodInfo};
use std::any::Any;
use std::sync::Arc;
use windlass_core::Object;
use windlass_core::scheme::GroupVersionResource;

/// All that were attached, at most one of each type.
#[derive(Default)]
pub(super) struct Listeners(Vec<Box<dyn Columns>>);

impl Clone for Listeners {
    fn clone(&self) -> Self {
        Self(self.0.iter().map(|columns| columns.fork()).collect())
    }
}

impl Snapshot {
    /// Lets a plugin keep columns of its own. They are told of the nodes and pods that are there; objects of other
    /// resources they hear of from now on. Of two of one type the first stays.
    pub fn attach(&mut self, mut columns: Box<dyn Columns>) {
        let kind = (&*columns as &dyn Any).type_id();
        if self.listeners.0.iter().any(|known| (&**known as &dyn Any).type_id() == kind) {
            return;
        }
        for id in self.present.iter() {
            columns.node_set(self, id, self.node(id), None);
            for pod in self.pods_on(id) {
                columns.pod_added(self, id, pod);
            }
        }
        self.listeners.0.push(columns);
    }

    /// The columns of this type, when a plugin has attached them.
    #[must_use]
    pub fn columns<T: Columns>(&self) -> Option<&T> {
        self.listeners.0.iter().find_map(|columns| (&**columns as &dyn Any).downcast_ref())
    }

    /// The resources whose objects the attached columns want to see, each once.
    #[must_use]
    pub fn watches(&self) -> Vec<GroupVersionResource> {
        let mut all: Vec<GroupVersionResource> = Vec::new();
        for resource in self.listeners.0.iter().flat_map(|columns| columns.watches()) {
            if !all.contains(&resource) {
                all.push(resource);
            }
        }
        all
    }

    /// Tells of an object of one of those resources that came or changed. Plugins that read what
    /// columns keep of them have [`Reach::Cluster`](crate::framework::Reach::Cluster).
    pub fn set_object(&mut self, resource: &GroupVersionResource, object: &Arc<Object>) {
        self.tell(|columns, snapshot| columns.object_set(snapshot, resource, object));
    }

    /// Tells of one that went.
    pub fn remove_object(&mut self, resource: &GroupVersionResource, object: &Arc<Object>) {
        self.tell(|columns, snapshot| columns.object_removed(snapshot, resource, object));
    }

    pub(super) fn tell_node_set(&mut self, id: NodeId, old: Option<&Arc<NodeInfo>>) {
        let node = self.node(id).clone();
        self.tell(|columns, snapshot| columns.node_set(snapshot, id, &node, old));
    }

    pub(super) fn tell_node_removed(&mut self, id: NodeId, node: &Arc<NodeInfo>) {
        self.tell(|columns, snapshot| columns.node_removed(snapshot, id, node));
    }

    pub(super) fn tell_pod_added(&mut self, id: NodeId, pod: &Arc<PodInfo>) {
        self.tell(|columns, snapshot| columns.pod_added(snapshot, id, pod));
    }

    pub(super) fn tell_pod_removed(&mut self, id: NodeId, pod: &Arc<PodInfo>) {
        self.tell(|columns, snapshot| columns.pod_removed(snapshot, id, pod));
    }

    /// While they are told, the snapshot has none: they see each other's columns never, the rest always.
    fn tell(&mut self, mut each: impl FnMut(&mut dyn Columns, &Snapshot)) {
        let mut listeners = std::mem::take(&mut self.listeners);
        listeners.0.iter_mut().for_each(|columns| each(&mut **columns, self));
        self.listeners = listeners;
    }
}
