//! Claims, classes and devices, as far as the scheduler looks at them.

use super::DeviceSelectors;
use super::assumed::Assumptions;
use crate::framework::Columns;
use crate::snapshot::NodeId;
use crate::{PodInfo, Snapshot};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use windlass_core::Object;
use windlass_core::apis::resource::v1::{
    DeviceClass, DeviceClassSpec, ResourceClaim, ResourceSlice, ResourceSliceSpec,
};
use windlass_core::meta::Str;
use windlass_core::scheme::{self, GroupVersionResource};

/// Driver, pool and name of a device.
pub(super) type DeviceId = (String, String, String);

/// What there is to allocate, and to whom.
#[derive(Clone, Default)]
pub(super) struct Devices {
    claims: FxHashMap<ClaimKey, Arc<ResourceClaim>>,
    pub(super) classes: FxHashMap<Str, Arc<DeviceClassSpec>>,
    slices: BTreeMap<Str, Arc<ResourceSliceSpec>>,
    /// What claims get whose pods are on their way to a node, while the cluster does not show it.
    pub(super) assumed: Assumptions,
    /// Of the plugin, which tells it before it first asks.
    pub(super) selectors: OnceLock<Arc<dyn DeviceSelectors>>,
}

/// Namespace and name of a claim.
pub(super) type ClaimKey = (Str, Str);

pub(super) fn key_of(claim: &ResourceClaim) -> ClaimKey {
    let part = |part: &Option<String>| Str::from(part.as_deref().unwrap_or_default());
    (part(&claim.metadata.namespace), part(&claim.metadata.name))
}

pub(super) fn is_allocated(claim: &ResourceClaim) -> bool {
    claim.status.as_ref().is_some_and(|status| status.allocation.is_some())
}

// === impl Devices ===

impl Devices {
    /// A pod's claims, in order; an error names one that is not there.
    pub(super) fn claims(&self, pod: &PodInfo) -> Result<Vec<Arc<ResourceClaim>>, String> {
        let find = |name: &Option<Str>| {
            let Some(name) = name else {
                let pod = format!("{}/{}", pod.namespace, pod.name);
                return Err(format!("pod {pod:?}: ResourceClaim not created yet"));
            };
            let claim = self.claims.get(&(pod.namespace.clone(), name.clone())).cloned();
            claim.ok_or_else(|| format!("resourceclaim {:?} not found", &**name))
        };
        pod.resource_claims.iter().map(find).collect()
    }

    /// The slices of pools that are whole: all slices of the newest generation are there.
    pub(super) fn slices(&self) -> Vec<&Arc<ResourceSliceSpec>> {
        let mut pools: BTreeMap<(&str, &str), Vec<&Arc<ResourceSliceSpec>>> = BTreeMap::new();
        for slice in self.slices.values() {
            let pool = pools.entry((&slice.driver, &slice.pool.name)).or_default();
            let newest = pool.first().map_or(i64::MIN, |first| first.pool.generation);
            if slice.pool.generation > newest {
                pool.clear();
            }
            if slice.pool.generation >= newest {
                pool.push(slice);
            }
        }
        let whole = |pool: &Vec<&Arc<ResourceSliceSpec>>| {
            pool.first().is_some_and(|first| first.pool.resource_slice_count == pool.len() as i64)
        };
        pools.into_values().filter(whole).flatten().collect()
    }

    /// The devices that claims have, or will have; those lent for administration are free all the same.
    pub(super) fn taken(&self) -> impl Iterator<Item = DeviceId> {
        let allocations = self.claims.values().filter_map(|claim| {
            claim.status.as_ref()?.allocation.as_ref()?.devices.as_ref()?.results.as_ref()
        });
        let exclusive = allocations.flatten().filter(|r| r.admin_access != Some(true));
        let exclusive = exclusive.map(|r| (r.driver.clone(), r.pool.clone(), r.device.clone()));
        exclusive.chain(self.assumed.taken())
    }

    /// Whether a claim is there, the same one, and has no devices yet.
    pub(super) fn lacks(&self, claim: &ResourceClaim) -> bool {
        let now = self.claims.get(&key_of(claim));
        now.is_some_and(|now| now.metadata.uid == claim.metadata.uid && !is_allocated(now))
    }

    fn object(
        &mut self,
        resource: &GroupVersionResource,
        object: &Object,
    ) -> windlass_core::Result<()> {
        let name: Str = object.name().into();
        if *resource == scheme::RESOURCECLAIMS {
            let claim: Arc<ResourceClaim> = Arc::new(object.view()?);
            self.assumed.seen(&claim);
            self.claims.insert((object.header().namespace.clone(), name), claim);
        } else if *resource == scheme::DEVICECLASSES {
            let class: DeviceClass = object.view()?;
            self.classes.insert(name, Arc::new(class.spec));
        } else if *resource == scheme::RESOURCESLICES {
            let slice: ResourceSlice = object.view()?;
            self.slices.insert(name, Arc::new(slice.spec));
        }
        Ok(())
    }
}

impl Columns for Devices {
    fn fork(&self) -> Box<dyn Columns> {
        Box::new(self.clone())
    }

    fn watches(&self) -> Vec<GroupVersionResource> {
        vec![scheme::RESOURCECLAIMS, scheme::DEVICECLASSES, scheme::RESOURCESLICES]
    }

    fn pod_added(&mut self, snapshot: &Snapshot, id: NodeId, pod: &Arc<PodInfo>) {
        self.assume(snapshot, id, pod);
    }

    fn pod_removed(&mut self, snapshot: &Snapshot, _: NodeId, pod: &Arc<PodInfo>) {
        // One that is lifted for a try comes back to what it has.
        self.assumed.left(pod, snapshot.has_pod(&pod.uid));
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
        let name = object.name();
        if *resource == scheme::RESOURCECLAIMS {
            let key = (object.header().namespace.clone(), name.into());
            self.assumed.gone(&key);
            self.claims.remove(&key);
        } else if *resource == scheme::DEVICECLASSES {
            self.classes.remove(name);
        } else if *resource == scheme::RESOURCESLICES {
            self.slices.remove(name);
        }
    }
}
