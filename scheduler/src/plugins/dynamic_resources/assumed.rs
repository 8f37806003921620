//! Devices that claims get by pods that were just placed: the next pod must see them, in a gang, beside promises, and in
//! what-if, where nothing is ever written.

use super::Allocated;
use super::objects::{ClaimKey, DeviceId, Devices, is_allocated, key_of};
use super::supply::Supply;
use crate::snapshot::NodeId;
use crate::{PodInfo, Snapshot};
use rustc_hash::{FxHashMap, FxHashSet};
use std::sync::Arc;
use windlass_core::apis::resource::v1::ResourceClaim;
use windlass_core::meta::Str;

/// By claim.
#[derive(Clone, Default)]
pub(super) struct Assumptions(FxHashMap<ClaimKey, Assumed>);

/// What one claim gets.
#[derive(Clone)]
pub(super) struct Assumed {
    allocated: Allocated,
    /// Where its pods are.
    place: Str,
    /// The pods that use it. While there is none it has nothing.
    users: FxHashSet<Box<str>>,
}

// === impl Assumptions ===

impl Assumptions {
    /// What a claim gets that the cluster does not show to have anything.
    pub(super) fn of(&self, claim: &ResourceClaim) -> Option<&Assumed> {
        self.0.get(&key_of(claim)).filter(|assumed| !assumed.users.is_empty())
    }

    /// The devices that nobody else can have.
    pub(super) fn taken(&self) -> impl Iterator<Item = DeviceId> {
        let used = self.0.values().filter(|assumed| !assumed.users.is_empty());
        used.flat_map(|assumed| assumed.allocated.exclusive())
    }

    /// A claim as the cluster shows it: what it has it has, and another one of the name has nothing.
    pub(super) fn seen(&mut self, claim: &ResourceClaim) {
        let same = |known: &Assumed| known.allocated.claim.metadata.uid == claim.metadata.uid;
        let key = key_of(claim);
        if is_allocated(claim) || self.0.get(&key).is_some_and(|known| !same(known)) {
            self.0.remove(&key);
        }
    }

    pub(super) fn gone(&mut self, key: &ClaimKey) {
        self.0.remove(key);
    }

    /// A pod is no more on its node. One that comes back at once finds what it had.
    pub(super) fn left(&mut self, pod: &PodInfo, comes_back: bool) {
        for name in pod.resource_claims.iter().flatten() {
            let key = (pod.namespace.clone(), name.clone());
            let Some(assumed) = self.0.get_mut(&key) else { continue };
            assumed.users.remove(&pod.uid);
            if assumed.users.is_empty() && !comes_back {
                self.0.remove(&key);
            }
        }
    }
}

// === impl Assumed ===

impl Assumed {
    /// The only node on which its devices are of use.
    pub(super) fn node(&self) -> Option<&Str> {
        self.allocated.local.then_some(&self.place)
    }
}

// === impl Devices ===

impl Devices {
    /// A pod was put on a node: its claims that have no devices get some of those there.
    pub(super) fn assume(&mut self, snapshot: &Snapshot, id: NodeId, pod: &PodInfo) {
        if pod.resource_claims.is_empty() {
            return;
        }
        let Ok(claims) = self.claims(pod) else { return };
        let mut pending = Vec::new();
        for claim in claims.into_iter().filter(|claim| !is_allocated(claim)) {
            if !self.join(&claim, snapshot.name(id), pod) {
                pending.push(claim);
            }
        }
        // Of one that somebody has bound the cluster says what it gets.
        if pending.is_empty() || !pod.node_name.is_empty() {
            return;
        }
        let supply = Supply::new(snapshot, self, self.taken().collect());
        let Ok(Some(all)) = supply.on(id, &pending) else { return };
        for allocated in all {
            let (key, place) = (key_of(&allocated.claim), snapshot.name(id).clone());
            let users = [pod.uid.clone()].into_iter().collect();
            self.assumed.0.insert(key, Assumed { allocated, place, users });
        }
    }

    /// Whether a claim gets something already. A pod that can use it where it is then does.
    fn join(&mut self, claim: &ResourceClaim, place: &Str, pod: &PodInfo) -> bool {
        let key = key_of(claim);
        let Some(known) = self.assumed.0.get(&key) else { return false };
        let here = known.node().is_none_or(|node| node == place);
        let free = |device: DeviceId| self.taken().all(|taken| taken != device);
        // What it had before its pod was lifted somebody else may have got meanwhile.
        if known.users.is_empty() && !(here && known.allocated.exclusive().all(free)) {
            self.assumed.0.remove(&key);
            return false;
        }
        if let Some(known) = self.assumed.0.get_mut(&key).filter(|_| here) {
            known.users.insert(pod.uid.clone());
        }
        true
    }

    /// What the claims of a pod get that was just put on a node; none when some get nothing.
    pub(super) fn chosen(&self, pod: &PodInfo) -> Option<Vec<Allocated>> {
        let claims = self.claims(pod).ok()?;
        let chosen = claims.into_iter().map(|claim: Arc<ResourceClaim>| {
            if is_allocated(&claim) {
                return Some(Allocated::already(claim));
            }
            let assumed = self.assumed.of(&claim)?;
            assumed.users.contains(&pod.uid).then(|| assumed.allocated.clone())
        });
        chosen.collect()
    }
}
