//! Devices that pods claim, from what drivers say there is (structured parameters, KEP-4381).

mod allocate;
mod counters;
mod objects;
mod write;

use crate::framework::{
    Cycle, Extensions, Feasible, Filter, Placement, Plugin, PostBind, PreBind, PreFilter, Reach,
    Reason, Reserve,
};
use crate::plugins::node_affinity::select::selected;
use crate::queue::ClusterEvent;
use crate::snapshot::NodeId;
use crate::{NodeSet, PodClass, PodInfo, Snapshot};
use allocate::{Offer, Unknown, allocate};
use async_trait::async_trait;
use counters::Counters;
use objects::{DeviceId, Devices};
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use windlass_core::apis::resource::v1::{
    Device, DeviceAllocationConfiguration, DeviceRequestAllocationResult, ResourceClaim,
    ResourceSliceSpec,
};
use windlass_core::client::Client;
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
    found: FxHashMap<Box<str>, Found>,
    order: VecDeque<Box<str>>,
    chosen: FxHashMap<Box<str>, Vec<Allocated>>,
    /// Written, and not yet seen in the cluster.
    written: Vec<Allocated>,
    /// The claims that were reserved for pods which are not bound yet.
    reserved: FxHashMap<Box<str>, Vec<Arc<ResourceClaim>>>,
}

/// What each node could give a pod, and the claims that have theirs.
struct Found {
    by_node: FxHashMap<NodeId, Vec<Allocated>>,
    allocated: Vec<Arc<ResourceClaim>>,
    /// There are others.
    pending: bool,
}

/// A pod's claims.
struct Claims {
    allocated: Vec<Arc<ResourceClaim>>,
    pending: Vec<Arc<ResourceClaim>>,
}

const MOST_FOUND: usize = 256;
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
        let has = |claim: &Arc<ResourceClaim>| {
            claim.status.as_ref().is_some_and(|status| status.allocation.is_some())
        };
        let (allocated, pending) = all.into_iter().partition(has);
        cycle.keep(Claims { allocated, pending });
        Ok(())
    }
}

impl Filter for DynamicResources {
    fn filter(&self, cycle: &Cycle<'_>, feasible: &mut Feasible) {
        let Some(devices) = cycle.snapshot.columns::<Devices>() else { return };
        let Some(claims) = cycle.kept::<Claims>() else { return };
        for claim in &claims.allocated {
            let allocation = claim.status.as_ref().and_then(|status| status.allocation.as_ref());
            if let Some(selector) = allocation.and_then(|a| a.node_selector.as_ref()) {
                let reach = selected(cycle.snapshot, selector);
                feasible.keep(&reach, "resourceclaim not available on the node");
            }
        }
        let mut decisions = self.decisions.lock();
        decisions.written.retain(|allocated| devices.lacks(&allocated.claim));
        let (by_node, failed, unknown) = self.search(cycle, devices, claims, &decisions, feasible);
        feasible.refuse(failed, "cannot allocate all claims");
        for (nodes, why) in unknown {
            feasible.refuse_for_good(nodes, why);
        }
        let pending = !claims.pending.is_empty();
        let found = Found { by_node, allocated: claims.allocated.clone(), pending };
        decisions.remember(&cycle.pod.uid, found);
    }
}

type Searched = (FxHashMap<NodeId, Vec<Allocated>>, NodeSet, Vec<(NodeSet, Unknown)>);

impl DynamicResources {
    /// What each node could give to the claims that have nothing yet.
    fn search(
        &self,
        cycle: &Cycle<'_>,
        devices: &Devices,
        claims: &Claims,
        decisions: &Decisions,
        feasible: &Feasible,
    ) -> Searched {
        let mut searched = Searched::default();
        if claims.pending.is_empty() {
            return searched;
        }
        let taken: HashSet<DeviceId> = devices.taken().chain(decisions.taken()).collect();
        let slices = devices.slices();
        let counters = Counters::new(&slices, &taken);
        let reaches: Vec<_> =
            slices.iter().map(|slice| Reached::new(cycle.snapshot, slice)).collect();
        for node in feasible.nodes().iter() {
            let offers: Vec<Offer> = slices
                .iter()
                .zip(&reaches)
                .flat_map(|(slice, reached)| reached.offers(cycle.snapshot, slice, node))
                .map(|offer| Offer { taken: taken.contains(&offer.id), ..offer })
                .collect();
            match allocate(devices, &claims.pending, &offers, &counters, self.selectors.as_deref())
            {
                Ok(Some(results)) => {
                    let all = claims.pending.iter().zip(results);
                    let all = all.map(|(claim, results)| {
                        let local = results
                            .iter()
                            .any(|result| offers.iter().any(|o| o.local && o.is(result)));
                        let config = allocate::config(devices, claim, &results);
                        Allocated { claim: claim.clone(), results, config, local }
                    });
                    searched.0.insert(node, all.collect());
                }
                Ok(None) => searched.1.set(node, true),
                Err(why) => match searched.2.iter_mut().find(|(_, other)| *other == why) {
                    Some((nodes, _)) => nodes.set(node, true),
                    None => searched.2.push(([node].into_iter().collect(), why)),
                },
            }
        }
        searched
    }
}

/// The nodes that can use a slice's devices; none when each device says so for itself.
struct Reached(Option<NodeSet>);

impl Reached {
    fn new(snapshot: &Snapshot, slice: &ResourceSliceSpec) -> Self {
        if slice.per_device_node_selection == Some(true) {
            return Self(None);
        }
        let (name, selector) = (slice.node_name.as_deref(), slice.node_selector.as_ref());
        Self(Some(reached(snapshot, name, selector, slice.all_nodes)))
    }

    fn offers(&self, snapshot: &Snapshot, slice: &ResourceSliceSpec, node: NodeId) -> Vec<Offer> {
        if self.0.as_ref().is_some_and(|nodes| !nodes.contains(node)) {
            return Vec::new();
        }
        let usable = |device: &&Device| {
            self.0.is_some() || {
                let (name, selector) = (device.node_name.as_deref(), device.node_selector.as_ref());
                reached(snapshot, name, selector, device.all_nodes).contains(node)
            }
        };
        let offer = |device: &Device| {
            let id = (slice.driver.clone(), slice.pool.name.clone(), device.name.clone());
            let everywhere = match self.0 {
                Some(_) => slice.all_nodes == Some(true),
                None => device.all_nodes == Some(true),
            };
            Offer { id, device: device.clone(), local: !everywhere, taken: false }
        };
        slice.devices.iter().flatten().filter(usable).map(offer).collect()
    }
}

fn reached(
    snapshot: &Snapshot,
    name: Option<&str>,
    selector: Option<&windlass_core::apis::core::v1::NodeSelector>,
    all: Option<bool>,
) -> NodeSet {
    match (name.filter(|name| !name.is_empty()), selector) {
        (Some(name), _) => snapshot.id(name).into_iter().collect(),
        (None, Some(selector)) => selected(snapshot, selector),
        (None, None) if all == Some(true) => snapshot.nodes().clone(),
        (None, None) => NodeSet::default(),
    }
}

impl Reserve for DynamicResources {
    fn reserve(&self, placement: &Placement) -> Result<(), Reason> {
        if placement.pod.resource_claims.is_empty() {
            return Ok(());
        }
        let mut decisions = self.decisions.lock();
        let uid = &placement.pod.uid;
        let found = decisions.found.remove(uid).ok_or("its devices were not looked for")?;
        decisions.order.retain(|other| other != uid);
        let mut chosen: Vec<Allocated> =
            found.allocated.into_iter().map(Allocated::already).collect();
        let mut by_node = found.by_node;
        match by_node.remove(&placement.id) {
            Some(here) => chosen.extend(here),
            None if found.pending => return Err("no device was found for it there".into()),
            None => {}
        }
        let taken: HashSet<DeviceId> = decisions.taken().collect();
        if chosen.iter().flat_map(Allocated::exclusive).any(|id| taken.contains(&id)) {
            return Err("its devices were taken by another pod".into());
        }
        decisions.chosen.insert(uid.clone(), chosen);
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

// === impl Decisions ===

impl Decisions {
    fn remember(&mut self, uid: &str, found: Found) {
        if self.found.insert(uid.into(), found).is_none() {
            self.order.push_back(uid.into());
        }
        while self.order.len() > MOST_FOUND {
            if let Some(oldest) = self.order.pop_front() {
                self.found.remove(&oldest);
            }
        }
    }

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

    /// The devices that nobody else can have.
    fn exclusive(&self) -> impl Iterator<Item = DeviceId> {
        let results = self.results.iter().filter(|result| result.admin_access != Some(true));
        results.map(|r| (r.driver.clone(), r.pool.clone(), r.device.clone()))
    }
}

#[cfg(test)]
mod tests;
