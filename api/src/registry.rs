//! One pipeline for each verb, for all resources.
//!
//! What is particular about a resource is data: its [`windlass_core::scheme::ResourceInfo`] and its
//! [`crate::strategy::Strategy`]. The rest is
//! the same for all of them, built in or not.

mod commit;
mod connect;
mod conversion;
mod create;
mod decode;
mod delete;
mod deletion;
mod entry;
mod event_leases;
mod loopback;
mod meta;
mod observer;
mod patch;
mod read;
mod subresources;
mod update;
mod write;

#[cfg(test)]
mod tests;

pub use decode::{Body, BodyFormat};
pub use entry::{Entry, Resources};
pub use loopback::Loopback;
pub use observer::{Observation, Observer};
pub use subresources::{Call, Created, Creater};

pub(crate) use conversion::{Conversion, convert};
pub(crate) use delete::{Deleted, OPTIONS_KIND};
pub(crate) use event_leases::EventLeases;
pub(crate) use loopback::{client_events, unknown_resource};
pub(crate) use meta::rfc3339;
pub(crate) use subresources::{builtin_creaters, replace_scale, scale_of};
pub(crate) use write::{Own, Write};

use crate::admission::Chain;
use crate::metrics::admission::AdmissionMetrics;
use crate::storage::Storage;
use crate::strategy::Allocator;
use rustc_hash::FxHashMap;
use std::sync::Arc;
use windlass_core::clock::Env;
use windlass_core::scheme::GroupVersionResource;
use windlass_store::Backend;

/// The objects of a server and the way to change them. Authorization is the caller's.
pub(crate) struct Registry {
    pub(crate) objects: Loopback,
    pub(crate) admission: Chain,
    pub(crate) allocators: FxHashMap<GroupVersionResource, Arc<dyn Allocator>>,
    pub(crate) env: Env,
    /// For what allocators keep: it has no place among the objects.
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) event_leases: Arc<EventLeases>,
    pub(crate) metrics: AdmissionMetrics,
    /// What is written stays within a transaction, so that a dry run of one is written there too.
    pub(crate) staged: bool,
}

impl Registry {
    fn storage(&self) -> &dyn Storage {
        &*self.objects.storage
    }

    /// Whether a write is only tried, and nothing is to be written.
    fn is_dry(&self, write: &Write<'_>) -> bool {
        write.options.dry_run && !self.staged
    }
}
