//! Storage as the scheduler sees it: claims, volumes, classes, and which pods use what where. Shared by the plugins
//! that look at volumes.

mod objects;

pub(crate) use objects::{Capacity, Claim, ClaimState, Class, SELECTED_NODE, Volume};

use crate::framework::Columns;
use crate::plugins::company::{NodeCounts, decrement};
use crate::plugins::volume_binding::Given;
use crate::snapshot::NodeId;
use crate::{PodClass, PodInfo, Snapshot};
use rustc_hash::FxHashMap;
use std::sync::Arc;
use windlass_core::Object;
use windlass_core::meta::Str;
use windlass_core::scheme::{self, GroupVersionResource};

/// Namespace and name of a claim.
pub(crate) type ClaimKey = (Str, Str);

/// All there is of storage.
#[derive(Clone, Default)]
pub(crate) struct Storage {
    pub(crate) claims: FxHashMap<ClaimKey, Arc<Claim>>,
    pub(crate) volumes: FxHashMap<Str, Arc<Volume>>,
    pub(crate) classes: FxHashMap<Str, Arc<Class>>,
    pub(crate) capacities: FxHashMap<(Str, Box<str>), Arc<Capacity>>,
    /// By node name.
    pub(crate) limits: FxHashMap<Str, Vec<(Str, Option<i64>)>>,
    /// Whether a driver says how much it can still make.
    pub(crate) drivers: FxHashMap<Str, bool>,
    /// Which claims are in use on a node.
    pub(crate) in_use: FxHashMap<NodeId, FxHashMap<ClaimKey, u32>>,
    /// On which nodes a claim is in use.
    pub(crate) users: FxHashMap<ClaimKey, NodeCounts>,
    /// On which nodes a disk without a claim is in use: by readers, by writers.
    pub(crate) disks: FxHashMap<Str, [NodeCounts; 2]>,
    /// What pods get that are on their way to their nodes.
    pub(crate) given: Given,
}

/// Whether an object that came or changed may help a pod: one of its own claims, or any of these other resources.
pub(crate) fn may_help(
    pod: &PodInfo,
    resource: &GroupVersionResource,
    object: &Object,
    others: &[GroupVersionResource],
) -> bool {
    if *resource != scheme::PERSISTENTVOLUMECLAIMS {
        return others.contains(resource);
    }
    object.header().namespace == pod.namespace
        && pod.claims.iter().any(|claim| *claim.name == *object.name())
}

// === impl Storage ===

impl Storage {
    /// The claims of a pod that are there.
    pub(crate) fn claims<'a>(&'a self, pod: &'a PodClass) -> impl Iterator<Item = &'a Arc<Claim>> {
        let key = |name: &Str| (pod.namespace.clone(), name.clone());
        pod.claims.iter().filter_map(move |claim| self.claims.get(&key(&claim.name)))
    }

    fn object(
        &mut self,
        resource: &GroupVersionResource,
        object: &Object,
    ) -> windlass_core::Result<()> {
        let (namespace, name): (Str, Str) =
            (object.header().namespace.clone(), object.name().into());
        if *resource == scheme::PERSISTENTVOLUMECLAIMS {
            self.claims.insert((namespace, name), Arc::new(Claim::new(object)?));
        } else if *resource == scheme::PERSISTENTVOLUMES {
            self.volumes.insert(name, Arc::new(Volume::new(object)?));
        } else if *resource == scheme::STORAGECLASSES {
            self.classes.insert(name, Arc::new(Class::new(object)?));
        } else if *resource == scheme::CSISTORAGECAPACITIES {
            let key = (namespace, object.name().into());
            self.capacities.insert(key, Arc::new(Capacity::new(object)?));
        } else if *resource == scheme::CSINODES {
            self.limits.insert(name, objects::limits(object)?);
        } else if *resource == scheme::CSIDRIVERS {
            self.drivers.insert(name, objects::tracks_capacity(object)?);
        }
        Ok(())
    }

    fn each_disk(&mut self, pod: &PodInfo, change: impl Fn(&mut NodeCounts)) {
        for disk in &pod.disks {
            for id in &disk.ids {
                let uses = self.disks.entry(id.clone()).or_default();
                change(&mut uses[usize::from(!disk.read_only)]);
                if uses.iter().all(NodeCounts::is_empty) {
                    self.disks.remove(id);
                }
            }
        }
    }
}

impl Columns for Storage {
    fn fork(&self) -> Box<dyn Columns> {
        Box::new(self.clone())
    }

    fn watches(&self) -> Vec<GroupVersionResource> {
        vec![
            scheme::PERSISTENTVOLUMECLAIMS,
            scheme::PERSISTENTVOLUMES,
            scheme::STORAGECLASSES,
            scheme::CSISTORAGECAPACITIES,
            scheme::CSINODES,
            scheme::CSIDRIVERS,
        ]
    }

    fn pod_added(&mut self, snapshot: &Snapshot, id: NodeId, pod: &Arc<PodInfo>) {
        self.give(snapshot, id, pod);
        for claim in &pod.claims {
            let key = (pod.namespace.clone(), claim.name.clone());
            *self.users.entry(key.clone()).or_default().entry(id).or_default() += 1;
            *self.in_use.entry(id).or_default().entry(key).or_default() += 1;
        }
        self.each_disk(pod, |nodes| *nodes.entry(id).or_default() += 1);
    }

    fn pod_removed(&mut self, snapshot: &Snapshot, id: NodeId, pod: &Arc<PodInfo>) {
        // One that is lifted for a try comes back to what it has.
        if !snapshot.has_pod(&pod.uid) {
            self.take_back(pod);
        }
        for claim in &pod.claims {
            let key = (pod.namespace.clone(), claim.name.clone());
            if let Some(nodes) = self.users.get_mut(&key) {
                decrement(nodes, &id);
                if nodes.is_empty() {
                    self.users.remove(&key);
                }
            }
            if let Some(claims) = self.in_use.get_mut(&id) {
                decrement(claims, &key);
                if claims.is_empty() {
                    self.in_use.remove(&id);
                }
            }
        }
        self.each_disk(pod, |nodes| decrement(nodes, &id));
    }

    fn object_set(&mut self, _: &Snapshot, resource: &GroupVersionResource, object: &Arc<Object>) {
        if let Err(error) = self.object(resource, object) {
            tracing::error!(name = object.header().full_name(), %error, "left out");
        }
    }

    fn object_removed(
        &mut self,
        _: &Snapshot,
        resource: &GroupVersionResource,
        object: &Arc<Object>,
    ) {
        let (namespace, name) = (object.header().namespace.clone(), object.name());
        if *resource == scheme::PERSISTENTVOLUMECLAIMS {
            self.claims.remove(&(namespace, name.into()));
        } else if *resource == scheme::PERSISTENTVOLUMES {
            self.volumes.remove(name);
        } else if *resource == scheme::STORAGECLASSES {
            self.classes.remove(name);
        } else if *resource == scheme::CSISTORAGECAPACITIES {
            self.capacities.remove(&(namespace, name.into()));
        } else if *resource == scheme::CSINODES {
            self.limits.remove(name);
        } else if *resource == scheme::CSIDRIVERS {
            self.drivers.remove(name);
        }
    }
}
