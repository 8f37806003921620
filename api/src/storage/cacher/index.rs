//! The keys of objects by the value of the field that many ask for.

use bytes::Bytes;
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;
use windlass_core::meta::Str;

/// In the order of their keys, for each value.
#[derive(Default)]
pub(super) struct Index(FxHashMap<Str, BTreeSet<Bytes>>);

// === impl Index ===

impl Index {
    /// An object has another value than before; none before it was there, none after it went.
    pub(super) fn update(&mut self, key: &Bytes, before: Option<&Str>, now: Option<&Str>) {
        if before == now {
            return;
        }
        if let Some(before) = before
            && let Some(keys) = self.0.get_mut(before)
        {
            keys.remove(key);
            if keys.is_empty() {
                self.0.remove(before);
            }
        }
        if let Some(now) = now {
            self.0.entry(now.clone()).or_default().insert(key.clone());
        }
    }

    /// Those that have this value.
    pub(super) fn keys(&self, value: &str) -> impl Iterator<Item = &Bytes> {
        self.0.get(value).into_iter().flatten()
    }
}
