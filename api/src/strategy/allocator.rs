//! What rides along in the transaction that writes an object: addresses and ports that only one may hold.

use super::Map;
use crate::validation::Errors;
use async_trait::async_trait;
use bytes::Bytes;
use std::net::Ipv4Addr;
use std::sync::Arc;
use windlass_core::clock::Env;
use windlass_core::meta::Status;
use windlass_core::scheme::GroupVersionResource;
use windlass_store::{Op, Precondition};

/// Hands out what is scarce, for objects of one resource.
#[async_trait]
pub trait Allocator: Send + Sync {
    /// Writes into `new` what it was given, and tells what must be committed with it. `old` is what
    /// is there, for an update. Called again from the start when a companion says [`OnConflict::Retry`].
    ///
    /// # Errors
    /// `Invalid` when what `new` asks for can't be had.
    async fn allocate(
        &self,
        new: &mut Map,
        old: Option<&Map>,
        allocation: &dyn Allocation,
    ) -> Result<Vec<Companion>, Status>;

    /// What must be committed with the removal of `old`, to give back what it holds.
    fn release(&self, old: &Map, allocation: &dyn Allocation) -> Vec<Companion>;
}

/// What an allocator may see of the store.
#[async_trait]
pub trait Allocation: Send + Sync {
    /// The key at which an object is stored.
    fn object_key(&self, gvr: &GroupVersionResource, namespace: &str, name: &str) -> Bytes;

    /// Whether a key is there now.
    async fn contains(&self, key: &Bytes) -> Result<bool, Status>;

    /// The keys that start with `prefix`.
    async fn keys(&self, prefix: &Bytes) -> Result<Vec<Bytes>, Status>;

    /// Time and chance.
    fn env(&self) -> &Env;
}

/// One change that is committed together with the object, or not at all.
#[derive(Clone, Debug)]
pub struct Companion {
    /// What must hold.
    pub precondition: Option<Precondition>,
    /// What is written.
    pub op: Op,
    /// What to do when `precondition` does not hold.
    pub on_conflict: OnConflict,
}

/// What a lost race for a companion means.
#[derive(Clone, Debug)]
pub enum OnConflict {
    /// Another was as good: allocate again.
    Retry,
    /// The writer asked for this very one: these are his errors.
    Fail(Errors),
}

/// What Services are given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceConfig {
    /// First address of the range of cluster addresses.
    pub network: Ipv4Addr,
    /// Length of its prefix, 12 to 30.
    pub prefix: u8,
    /// The node ports.
    pub node_ports: PortRange,
}

/// Ports from `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    /// The first.
    pub first: u16,
    /// The last.
    pub last: u16,
}

/// The allocators of the built-in resources.
#[must_use]
pub fn allocators(config: &ServiceConfig) -> Vec<(GroupVersionResource, Arc<dyn Allocator>)> {
    let services: Arc<dyn Allocator> = Arc::new(super::service::ServiceAllocator::new(config));
    vec![(windlass_core::scheme::SERVICES, services)]
}

// === impl Companion ===

impl Companion {
    /// Removes a key, whatever it holds.
    pub(super) fn delete(key: Bytes) -> Self {
        Self { precondition: None, op: Op::Delete { key }, on_conflict: OnConflict::Retry }
    }

    /// Makes a key that must not be there yet.
    pub(super) fn create(key: Bytes, value: Bytes, on_conflict: OnConflict) -> Self {
        let precondition = Some(Precondition::Absent(key.clone()));
        Self { precondition, op: Op::Put { key, value, lease: None }, on_conflict }
    }
}

// === impl ServiceConfig ===

impl Default for ServiceConfig {
    /// `10.96.0.0/16` and the ports 30000 to 32767.
    fn default() -> Self {
        let node_ports = PortRange { first: 30000, last: 32767 };
        Self { network: Ipv4Addr::new(10, 96, 0, 0), prefix: 16, node_ports }
    }
}
