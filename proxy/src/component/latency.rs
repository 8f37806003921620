//! How long endpoints take from their change to the rules: the SLI "network programming latency".

use jiff::Timestamp;
use rustc_hash::FxHashMap;
use windlass_core::cache::Entry;

use crate::config::name_of;
use crate::model::{EndpointSliceView, Family, NamespacedName};

/// Since when the changes of slices wait for a sync, as the slices' controller tells by an annotation.
#[derive(Debug)]
pub(super) struct Latency {
    /// What changed before says nothing about this proxy.
    started: Timestamp,
    waiting: FxHashMap<NamespacedName, (Family, Timestamp)>,
}

// === impl Latency ===

impl Latency {
    pub(super) fn new(started: Timestamp) -> Self {
        Self { started, waiting: FxHashMap::default() }
    }

    /// A slice was made or changed. Until a sync the first change of each counts.
    pub(super) fn applied(&mut self, slice: &Entry<EndpointSliceView>) {
        let family = match &*slice.view.address_type {
            "IPv4" => Family::V4,
            "IPv6" => Family::V6,
            _ => return,
        };
        if let Some(at) = slice.view.last_change.filter(|at| *at > self.started) {
            self.waiting.entry(name_of(&slice.object)).or_insert((family, at));
        }
    }

    /// A slice is gone: nothing of it waits.
    pub(super) fn deleted(&mut self, slice: &NamespacedName) {
        self.waiting.remove(slice);
    }

    /// What the next sync carries out.
    pub(super) fn take(&mut self) -> impl Iterator<Item = (Family, Timestamp)> + use<> {
        std::mem::take(&mut self.waiting).into_values()
    }
}
