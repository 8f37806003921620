//! Devices that pods claim, from what drivers say there is (structured parameters, KEP-4381).

mod allocate;
mod assumed;
mod counters;
mod objects;
mod supply;
mod write;

use crate::framework::{
    Cycle, Extensions, Feasible, Filter, Placement, Plugin, PostBind, PreBind, PreFilter, Reach,
    Reason, Reserve,
};
use crate::plugins::node_affinity::select::selected;
use crate::queue::ClusterEvent;
use crate::{NodeSet, PodClass, PodInfo, Snapshot};
use allocate::Unknown;
use async_trait::async_trait;
use objects::{DeviceId, Devices, is_allocated};
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use std::sync::Arc;
use supply::Supply;
use windlass_core::apis::resource::v1::{
    Device, DeviceAllocationConfiguration, DeviceRequestAllocationResult, ResourceClaim,
};
use windlass_core::client::Client;
use windlass_core::meta::Str;
use windlass_core::{Error, scheme};

/// Evaluates the CEL expressions that select devices. This crate has no CEL of its own: who puts a scheduler together
/// hands one in.
pub trait DeviceSelectors: Send + Sync {
    /// Whether a device of this driver passes.
    ///
    /// # Errors
    /// When the expression can't be evaluated: the pod can't be placed then.
    fn matches(&self, expression: &str, driver: &str, device: &Device) -> Result<bool, String>;
}

/// Refuses nodes where the devices that the pod's ResourceClaims ask for are not to be had; allocates them and
/// reserves the claims for the pod before it is bound.
pub struct DynamicResources {
    client: Option<Arc<dyn Client>>,
    selectors: Option<Arc<dyn DeviceSelectors>>,
    decisions: Mutex<Decisions>,
}

/// What a claim of a pod that has a place gets; nothing when it has it already.
#[derive(Clone)]
struct Allocated {
    claim: Arc<ResourceClaim>,
    results: Vec<DeviceRequestAllocationResult>,
    config: Vec<DeviceAllocationConfiguration>,
    /// The devices are of use on this node only.
    local: bool,
}

#[derive(Default)]
struct Decisions {
    chosen: FxHashMap<Box<str>, Vec<Allocated>>,
    /// Written, and not yet seen in the cluster.
    written: Vec<Allocated>,
    /// The claims that were reserved for pods which are not bound yet.
    reserved: FxHashMap<Box<str>, Vec<Arc<ResourceClaim>>>,
}

/// A pod's claims.
struct Claims {
    /// The devices of these are known; some can be had on this node only.
    allocated: Vec<(Arc<ResourceClaim>, Option<Str>)>,
    pending: Vec<Arc<ResourceClaim>>,
}

/// So many pods may share a claim (API reference, "ResourceClaimStatus").
const MOST_USERS: usize = 256;

// === impl DynamicResources ===

impl DynamicResources {
    /// Writes allocations through this client; without one it writes none: for what-if. `selectors` evaluates CEL; without it, pods whose devices are selected by
    /// CEL wait, and say why.
    #[must_use]
    pub fn new(
        client: Option<Arc<dyn Client>>,
        selectors: Option<Arc<dyn DeviceSelectors>>,
    ) -> Self {
        Self { client, selectors, decisions: Mutex::default() }
    }
}

impl Plugin for DynamicResources {
    fn name(&self) -> &'static str {
        "DynamicResources"
    }

    fn extensions(self: Arc<Self>) -> Extensions {
        Extensions {
            pre_filter: Some(self.clone()),
            filter: Some(self.clone()),
            reserve: Some(self.clone()),
            pre_bind: Some(self.clone()),
            post_bind: Some(self),
            columns: vec![|| Box::<Devices>::default()],
            ..Extensions::default()
        }
    }

    fn reach(&self, pod: &PodClass, _: &Snapshot) -> Reach {
        if pod.resource_claims.is_empty() { Reach::Nothing } else { Reach::Cluster }
    }

    fn may_help(&self, event: &ClusterEvent, pod: &PodInfo) -> bool {
        let ours = [scheme::RESOURCECLAIMS, scheme::DEVICECLASSES, scheme::RESOURCESLICES];
        match event {
            ClusterEvent::NodeAdded(_) => true,
            ClusterEvent::NodeUpdated { old, new } => old.labels != new.labels,
            ClusterEvent::PodUpdated { new, .. } => new.uid == pod.uid,
            // Devices that were being given to it are free again.
            ClusterEvent::PodDeleted(other) => !other.resource_claims.is_empty(),
            ClusterEvent::ObjectSet(resource, _) | ClusterEvent::ObjectDeleted(resource, _) => {
                ours.contains(resource)
            }
            _ => false,
        }
    }
}

impl PreFilter for DynamicResources {
    fn pre_filter(&self, cycle: &mut Cycle<'_>) -> Result<(), Reason> {
        if cycle.pod.resource_claims.is_empty() {
            return Ok(());
        }
        let Some(devices) = cycle.snapshot.columns::<Devices>() else { return Ok(()) };
        let all = devices.claims(cycle.pod)?;
        for claim in &all {
            let name = claim.metadata.name.as_deref().unwrap_or_default();
            if claim.metadata.deletion_timestamp.is_some() {
                return Err(format!("resourceclaim {name:?} is being deleted").into());
            }
            let users = claim.status.as_ref().and_then(|status| status.reserved_for.as_deref());
            let users = users.unwrap_or_default();
            let user = users.iter().any(|user| *user.uid == *cycle.pod.uid);
            if users.len() >= MOST_USERS && !user {
                return Err("resourceclaim in use".into());
            }
        }
        if let Some(selectors) = &self.selectors {
            devices.selectors.get_or_init(|| selectors.clone());
        }
        let mut claims = Claims { allocated: Vec::new(), pending: Vec::new() };
        for claim in all {
            match devices.assumed.of(&claim) {
                Some(assumed) => claims.allocated.push((claim, assumed.node().cloned())),
                None if is_allocated(&claim) => claims.allocated.push((claim, None)),
                None => claims.pending.push(claim),
            }
        }
        cycle.keep(claims);
        Ok(())
    }
}

impl Filter for DynamicResources {
    fn filter(&self, cycle: &Cycle<'_>, feasible: &mut Feasible) {
        let Some(devices) = cycle.snapshot.columns::<Devices>() else { return };
        let Some(claims) = cycle.kept::<Claims>() else { return };
        let elsewhere = "resourceclaim not available on the node";
        for (claim, node) in &claims.allocated {
            let allocation = claim.status.as_ref().and_then(|status| status.allocation.as_ref());
            if let Some(selector) = allocation.and_then(|a| a.node_selector.as_ref()) {
                feasible.keep(&selected(cycle.snapshot, selector), elsewhere);
            }
            if let Some(node) = node {
                let node = cycle.snapshot.id(node);
                feasible.keep(&node.into_iter().collect(), elsewhere);
            }
        }
        if claims.pending.is_empty() {
            return;
        }
        let mut decisions = self.decisions.lock();
        decisions.written.retain(|allocated| devices.lacks(&allocated.claim));
        let taken = devices.taken().chain(decisions.taken()).collect();
        let supply = Supply::new(cycle.snapshot, devices, taken);
        let mut failed = NodeSet::default();
        let mut unknown: Vec<(NodeSet, Unknown)> = Vec::new();
        for node in feasible.nodes().iter() {
            match supply.on(node, &claims.pending) {
                Ok(Some(_)) => {}
                Ok(None) => failed.set(node, true),
                Err(why) => match unknown.iter_mut().find(|(_, other)| *other == why) {
                    Some((nodes, _)) => nodes.set(node, true),
                    None => unknown.push(([node].into_iter().collect(), why)),
                },
            }
        }
        feasible.refuse(failed, "cannot allocate all claims");
        for (nodes, why) in unknown {
            feasible.refuse_for_good(nodes, why);
        }
    }
}

impl Reserve for DynamicResources {
    fn assumed(&self, placement: &Placement, snapshot: &Snapshot) {
        let devices = snapshot.columns::<Devices>().filter(|_| has_claims(placement));
        if let Some(chosen) = devices.and_then(|devices| devices.chosen(&placement.pod)) {
            self.decisions.lock().chosen.insert(placement.pod.uid.clone(), chosen);
        }
    }

    fn reserve(&self, placement: &Placement) -> Result<(), Reason> {
        if !has_claims(placement) {
            return Ok(());
        }
        let mut decisions = self.decisions.lock();
        let uid = &placement.pod.uid;
        let chosen = decisions.chosen.get(uid).ok_or("no device was found for it there")?;
        let conflicts = |other: &Allocated| {
            chosen.iter().any(|own| !own.same_claim(other) && own.shares_a_device(other))
        };
        let others = decisions.chosen.iter().filter(|(other, _)| *other != uid);
        if others.flat_map(|(_, all)| all).chain(&decisions.written).any(conflicts) {
            decisions.chosen.remove(uid);
            return Err("its devices were taken by another pod".into());
        }
        Ok(())
    }

    fn unreserve(&self, placement: &Placement) {
        let mut decisions = self.decisions.lock();
        decisions.chosen.remove(&placement.pod.uid);
        let reserved = decisions.reserved.remove(&placement.pod.uid).unwrap_or_default();
        drop(decisions);
        // What was written is taken back beside the cycles. The claims keep their devices, as in Kubernetes.
        if let (Some(client), false) = (self.client.clone(), reserved.is_empty()) {
            let placement = placement.clone();
            tokio::spawn(async move {
                for claim in reserved {
                    if let Err(error) = write::release(&*client, &claim, &placement).await {
                        tracing::warn!(pod = %placement.pod.name, %error, "a claim stays reserved");
                    }
                }
            });
        }
    }
}

impl PostBind for DynamicResources {
    fn post_bind(&self, placement: &Placement) {
        self.decisions.lock().reserved.remove(&placement.pod.uid);
    }
}

#[async_trait]
impl PreBind for DynamicResources {
    async fn pre_bind(&self, placement: &Placement) -> Result<(), Error> {
        let chosen = self.decisions.lock().chosen.get(&placement.pod.uid).cloned();
        let Some(client) = &self.client else { return Ok(()) };
        if let Some(chosen) = chosen.as_ref().filter(|chosen| !chosen.is_empty()) {
            // Also what is written in part is taken back.
            let claims = chosen.iter().map(|allocated| allocated.claim.clone()).collect();
            self.decisions.lock().reserved.insert(placement.pod.uid.clone(), claims);
        }
        for allocated in chosen.iter().flatten() {
            write::reserve(&**client, allocated, placement).await?;
        }
        let mut decisions = self.decisions.lock();
        let written = decisions.chosen.remove(&placement.pod.uid).into_iter().flatten();
        decisions.written.extend(written.filter(|allocated| !allocated.results.is_empty()));
        Ok(())
    }
}

fn has_claims(placement: &Placement) -> bool {
    !placement.pod.resource_claims.is_empty()
}

// === impl Decisions ===

impl Decisions {
    /// Devices that are being given to claims.
    fn taken(&self) -> impl Iterator<Item = DeviceId> {
        self.chosen.values().flatten().chain(&self.written).flat_map(Allocated::exclusive)
    }
}

// === impl Allocated ===

impl Allocated {
    fn already(claim: Arc<ResourceClaim>) -> Self {
        Self { claim, results: Vec::new(), config: Vec::new(), local: false }
    }

    fn same_claim(&self, other: &Self) -> bool {
        self.claim.metadata.uid == other.claim.metadata.uid
    }

    fn shares_a_device(&self, other: &Self) -> bool {
        self.exclusive().any(|device| other.exclusive().any(|o| o == device))
    }

    /// The devices that nobody else can have.
    fn exclusive(&self) -> impl Iterator<Item = DeviceId> {
        let results = self.results.iter().filter(|result| result.admin_access != Some(true));
        results.map(|r| (r.driver.clone(), r.pool.clone(), r.device.clone()))
    }
}

#[cfg(test)]
mod tests;
