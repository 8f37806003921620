//! Copies that are taken while a store is written to and its disk fails.

use super::history::{History, replay};
use super::tiny;
use std::collections::BTreeSet;
use windlass_store::{Embedded, KeyRange, Lease, LeaseId, Read, Revision, backup};

/// A copy that was restored.
pub(super) struct Restored {
    store: Embedded,
    revision: Revision,
    _dir: tempfile::TempDir,
}

/// Copies a store when it is wished, and opens the copy. That only reads, which goes on whatever the disk does.
pub(super) async fn take(store: &Embedded, wished: bool) -> Option<Restored> {
    if !wished {
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    let (file, data) = (dir.path().join("copy"), dir.path().join("data"));
    let saved = backup::save(store, &file).await.unwrap();
    assert_eq!(backup::restore(&file, &data).unwrap(), saved.revision);
    let store = Embedded::open(tiny(&data)).unwrap();
    Some(Restored { store, revision: saved.revision, _dir: dir })
}

impl Restored {
    /// It holds what was acknowledged up to its revision, and every lease that its keys name.
    pub(super) async fn check(&self, history: &History) {
        let found = self.store.range(&KeyRange::all(), 0, None).await.unwrap();
        assert_eq!(found.revision, self.revision);
        assert_eq!(found.items, replay(&history.acknowledged, self.revision), "a copy");
        let leases: BTreeSet<LeaseId> = self.store.leases().await.unwrap().into_iter().collect();
        let named = found.items.iter().filter_map(|kv| kv.lease);
        assert!(named.clone().all(|id| leases.contains(&id)), "{leases:?}");
    }
}
