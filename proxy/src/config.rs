//! Tracks Services and EndpointSlices and yields just the ports that changed.

mod local;
mod services;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use rustc_hash::FxHashSet;
use windlass_core::Object;
use windlass_core::cache::Entry;

pub(crate) use self::local::{Asking, WithoutLocal};
pub(crate) use self::services::{Known, ServiceTable};
use crate::backend::Change;
use crate::model::{
    EndpointSliceView, NamespacedName, PortKey, ServicePort, ServiceView, service_ports,
};
use crate::topology::NodeIdentity;

/// Services with this label are left to another proxy.
const PROXY_NAME_LABEL: &str = "service.kubernetes.io/service-proxy-name";

/// Turns applied and deleted objects into [`Change`]s.
///
/// Applying the same object twice is harmless. Objects may arrive in any order: slices before
/// their Service, deletions of what was never seen. Work is in proportion to what changed.
#[derive(Debug)]
pub struct ChangeTracker {
    node: NodeIdentity,
    tracked: ServiceTable<HandedOut>,
    dirty: FxHashSet<NamespacedName>,
    without_local: WithoutLocal,
}

/// What the last [`ChangeTracker::take`] handed out.
type HandedOut = Vec<Arc<ServicePort>>;

// === impl ChangeTracker ===

impl ChangeTracker {
    /// An empty tracker for a node.
    pub fn new(node: NodeIdentity) -> Self {
        Self {
            node,
            tracked: ServiceTable::default(),
            dirty: FxHashSet::default(),
            without_local: WithoutLocal::default(),
        }
    }

    /// The node's zone is known, or changed: hints have to be looked at again.
    pub fn zone_changed(&mut self, zone: Option<String>) {
        if self.node.zone != zone {
            self.node.zone = zone;
            self.dirty.extend(self.tracked.keys().cloned());
        }
    }

    /// A Service was added or modified.
    pub fn service_applied(&mut self, service: Arc<Entry<ServiceView>>) {
        let key = name_of(&service.object);
        let ours = label(&service.object, PROXY_NAME_LABEL).is_none();
        if self.tracked.set_service(&key, ours.then_some(service)) {
            self.dirty.insert(key);
        }
    }

    /// A Service was deleted.
    pub fn service_deleted(&mut self, key: &NamespacedName) {
        if self.tracked.set_service(key, None) {
            self.dirty.insert(key.clone());
        }
    }

    /// A slice was added or modified, perhaps with another Service's label than before.
    pub fn slice_applied(&mut self, slice: Arc<Entry<EndpointSliceView>>) {
        self.dirty.extend(self.tracked.set_slice(slice));
    }

    /// A slice was deleted.
    pub fn slice_deleted(&mut self, key: &NamespacedName) {
        self.dirty.extend(self.tracked.remove_slice(key));
    }

    /// Whether [`take`](Self::take) has something to look at.
    pub fn has_changes(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// What changed since the last call; empty when the changes made no difference to traffic.
    pub fn take(&mut self) -> Change {
        let mut change = Change::default();
        for key in std::mem::take(&mut self.dirty) {
            let Some(tracked) = self.tracked.get_mut(&key) else { continue };
            tracked.kept.iter().for_each(|port| self.without_local.remove(port));
            tracked.recompute(&key, &self.node, &mut change);
            tracked.kept.iter().for_each(|port| self.without_local.add(port));
            self.tracked.tidy(&key);
        }
        change
    }

    /// How many of the ports as last handed out lack an endpoint on this node.
    pub(crate) fn without_local(&self) -> &WithoutLocal {
        &self.without_local
    }

    /// The whole state as last handed out by [`take`](Self::take), for a full resync.
    pub fn snapshot(&self) -> Vec<Arc<ServicePort>> {
        self.tracked.values().flat_map(|tracked| tracked.kept.iter().cloned()).collect()
    }
}

// === impl Known ===

impl Known<HandedOut> {
    fn recompute(&mut self, key: &NamespacedName, node: &NodeIdentity, change: &mut Change) {
        let slices = self.slices.values().map(|slice| &slice.view);
        let service = self.service.as_ref().map(|service| &service.view);
        let desired =
            service.map(|service| service_ports(key, service, slices, node)).unwrap_or_default();
        let mut kept = Vec::with_capacity(desired.len());
        for port in desired {
            match self.kept.iter().find(|old| old.key == port.key) {
                Some(old) if **old == port => kept.push(old.clone()),
                _ => {
                    let port = Arc::new(port);
                    change.updated.push(port.clone());
                    kept.push(port);
                }
            }
        }
        let gone = |key: &PortKey| !kept.iter().any(|port| port.key == *key);
        change.removed.extend(self.kept.iter().map(|old| old.key.clone()).filter(gone));
        self.kept = kept;
    }
}

/// The key of an object.
pub(crate) fn name_of(object: &Object) -> NamespacedName {
    NamespacedName::new(object.namespace(), object.name())
}

/// A label of an object.
pub(crate) fn label<'a>(object: &'a Object, key: &str) -> Option<&'a str> {
    object.header().labels.iter().find(|(label, _)| &**label == key).map(|(_, value)| &**value)
}
