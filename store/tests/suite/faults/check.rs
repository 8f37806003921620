//! What must hold of a store after a fault.

use super::history::{Changes, History, changes_of, replay};
use super::tiny;
use crate::common::{put, within};
use futures::StreamExt;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use windlass_store::{Embedded, Error, KeyRange, KeyValue, Lease, LeaseId, Read, Revision, Watch};

/// Whether everything acknowledged must be there, or only all up to some revision.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Loss {
    None,
    Tail,
}

/// Opens the store in a directory and holds it against the history; then writes to it, and opens it again.
pub(super) async fn check(dir: &Path, history: &History, loss: Loss, what: &str) {
    let store = Embedded::open(tiny(dir)).unwrap_or_else(|error| panic!("{what}: {error}"));
    let commits = compare(&store, history, loss, what).await;
    let last = commits.last_key_value().map_or(1, |(revision, _)| *revision);
    assert_eq!(put(&store, "later", what).await.unwrap(), last + 1, "{what}");
    drop(store);
    let store = Embedded::open(tiny(dir)).unwrap_or_else(|error| panic!("{what}: {error}"));
    let later = store.get(b"later", None).await.unwrap().unwrap();
    assert_eq!(later.mod_revision, last + 1, "{what}");
}

/// Holds a store against a history. All commits that are in it.
pub(super) async fn compare(
    store: &Embedded,
    history: &History,
    loss: Loss,
    what: &str,
) -> BTreeMap<Revision, Changes> {
    let now = store.current_revision().await.unwrap();
    assert!(loss == Loss::Tail || now >= history.last(), "{what}: lost all after {now}");
    let mut commits = history.acknowledged.clone();
    commits.retain(|revision, _| *revision <= now);
    let expected = 2..=now.min(history.last());
    assert!(commits.keys().copied().eq(expected), "{what}: {:?}", commits.keys());
    adopt(store, history, &mut commits, what).await;
    let state = replay(&commits, now);
    let found = store.range(&KeyRange::all(), 0, None).await.unwrap().items;
    assert_eq!(found, state, "{what}");
    compare_leases(store, history, loss, &state, what).await;
    compare_past(store, &commits, what).await;
    if loss == Loss::None && history.compacted > 0 {
        let refused = store.watch(KeyRange::all(), history.compacted - 1).await.err();
        assert!(matches!(refused, Some(Error::Compacted { .. })), "{what}: {refused:?}");
    }
    commits
}

/// The leases that must be there are, and no others; each has its keys.
async fn compare_leases(
    store: &Embedded,
    history: &History,
    loss: Loss,
    state: &[KeyValue],
    what: &str,
) {
    let found: BTreeSet<LeaseId> = store.leases().await.unwrap().into_iter().collect();
    let History { leases, unsure, .. } = history;
    let wrong: Vec<_> =
        leases.symmetric_difference(&found).filter(|id| !unsure.contains(id)).collect();
    assert!(loss == Loss::Tail || wrong.is_empty(), "{what}: {wrong:?} of {found:?}");
    for kv in state {
        assert!(kv.lease.is_none_or(|id| found.contains(&id)), "{what}: {kv:?}, {found:?}");
    }
    for id in found {
        let (_, keys) = store.time_to_live(id).await.unwrap();
        let expected = state.iter().filter(|kv| kv.lease == Some(id)).map(|kv| &kv.key);
        assert!(keys.iter().eq(expected), "{what}: lease {id} has {keys:?}");
    }
}

/// Commits after the last that was acknowledged: only what was asked for, and all of it.
async fn adopt(
    store: &Embedded,
    history: &History,
    commits: &mut BTreeMap<Revision, Changes>,
    what: &str,
) {
    let now = store.current_revision().await.unwrap();
    let mut asked = history.asked.clone();
    if now <= history.last() {
        return;
    }
    let mut watch = store.watch(KeyRange::all(), history.last()).await.unwrap();
    for revision in history.last() + 1..=now {
        let batch = within(watch.next()).await.unwrap().unwrap();
        assert_eq!(batch.revision, revision, "{what}");
        let before = replay(commits, revision - 1);
        let changes = changes_of(&batch);
        let found = asked.iter().position(|asked| asked.effect(&before) == changes);
        let found = found.unwrap_or_else(|| panic!("{what}: nobody asked for {changes:?}"));
        asked.remove(found);
        commits.insert(revision, changes);
    }
}

/// What is left of the past is true, without a hole.
async fn compare_past(store: &Embedded, commits: &BTreeMap<Revision, Changes>, what: &str) {
    let now = store.current_revision().await.unwrap();
    let oldest = match store.watch(KeyRange::all(), 1).await.err() {
        Some(Error::Compacted { compacted }) => compacted,
        other => {
            assert!(other.is_none(), "{what}: {other:?}");
            1
        }
    };
    let mut watch = store.watch(KeyRange::all(), oldest).await.unwrap();
    for revision in oldest + 1..=now {
        let batch = within(watch.next()).await.unwrap().unwrap();
        assert_eq!(
            (batch.revision, &changes_of(&batch)),
            (revision, &commits[&revision]),
            "{what}"
        );
        let then = store.range(&KeyRange::all(), 0, Some(revision)).await.unwrap();
        assert_eq!(then.items, replay(commits, revision), "{what}");
    }
}
