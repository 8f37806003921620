//! Who watches what: a write makes work for all who hear of it.

use parking_lot::RwLock;
use rustc_hash::{FxHashMap, FxHasher};
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use windlass_core::client::ListOptions;
use windlass_core::request::ResourceTarget;

/// Counts watches.
#[derive(Debug)]
pub(super) struct Watches {
    most: usize,
    all: AtomicUsize,
    /// By resource and namespace; a name would have to be as long as this for two to meet.
    by_place: RwLock<FxHashMap<u64, usize>>,
}

/// A watch that is counted until this is dropped.
#[derive(Debug)]
pub(crate) struct Watching {
    watches: Arc<Watches>,
    /// None for a watch that hears of few writes: of one name, or of one node.
    place: Option<u64>,
}

// === impl Watches ===

impl Watches {
    pub(super) fn new(most: usize) -> Self {
        Self { most, all: AtomicUsize::new(0), by_place: RwLock::default() }
    }

    /// Counts one more, unless there are too many.
    pub(super) fn begin(
        self: &Arc<Self>,
        target: &ResourceTarget,
        options: &ListOptions,
    ) -> Option<Watching> {
        if self.all.fetch_add(1, Ordering::Relaxed) >= self.most {
            self.all.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        let narrow = target.name.is_some()
            || ["metadata.name=", "spec.nodeName="]
                .iter()
                .any(|f| options.field_selector.contains(f));
        let place = (!narrow).then(|| place(target, target.namespace.as_deref()));
        if let Some(place) = place {
            *self.by_place.write().entry(place).or_default() += 1;
        }
        Some(Watching { watches: self.clone(), place })
    }

    /// How many hear of a write.
    pub(super) fn hearing(&self, target: &ResourceTarget) -> usize {
        let counts = self.by_place.read();
        let count = |place: u64| counts.get(&place).copied().unwrap_or_default();
        let everywhere = count(place(target, None));
        match &target.namespace {
            Some(namespace) => everywhere + count(place(target, Some(namespace))),
            None => everywhere,
        }
    }

    pub(super) fn count(&self) -> usize {
        self.all.load(Ordering::Relaxed)
    }
}

fn place(target: &ResourceTarget, namespace: Option<&str>) -> u64 {
    let mut hasher = FxHasher::default();
    (&target.resource.group, &target.resource.resource, namespace).hash(&mut hasher);
    hasher.finish()
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.watches.all.fetch_sub(1, Ordering::Relaxed);
        let Some(place) = self.place else { return };
        let mut counts = self.watches.by_place.write();
        if let Some(count) = counts.get_mut(&place) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&place);
            }
        }
    }
}
