//! What [`Precondition::Unchanged`] promises.

use super::helpers::{commit, delete, now, put};
use crate::{Backend, Error, KeyRange, Precondition, Revision, Txn};

/// Runs the cases of this module.
pub async fn contract<B: Backend>(make: &impl AsyncFn() -> B) {
    a_range_that_rests_is_unchanged(&make().await).await;
    every_change_counts(&make().await).await;
    a_range_is_pinned_with_other_things(&make().await).await;
    an_empty_range_never_changes(&make().await).await;
    the_past_must_be_known(&make().await).await;
}

fn unchanged(range: KeyRange, since: Revision) -> Precondition {
    Precondition::Unchanged(range, since)
}

/// Whether a transaction with this one precondition happens.
async fn holds(store: &impl Backend, range: KeyRange, since: Revision) -> bool {
    match store.commit(Txn::new().when(unchanged(range, since)).put("other", "x")).await {
        Ok(_) => true,
        Err(Error::Precondition { index: 0 }) => false,
        Err(error) => panic!("{error}"),
    }
}

/// What happens elsewhere does not change a range, nor what happened before.
pub async fn a_range_that_rests_is_unchanged(store: &impl Backend) {
    put(store, "a/1", "1").await;
    let since = delete(store, "a/1").await;
    put(store, "a", "1").await;
    put(store, "a0", "1").await;
    put(store, "b", "1").await;
    assert!(holds(store, KeyRange::prefix("a/"), since).await);
    assert!(!holds(store, KeyRange::prefix("a/"), since - 1).await);
    assert!(holds(store, KeyRange::key("a/1"), now(store).await).await);
    assert!(!holds(store, KeyRange::all(), since).await);
}

/// A write, a removal, and a removal with a write after it that leaves everything as it was.
pub async fn every_change_counts(store: &impl Backend) {
    let range = || KeyRange::prefix("a/");
    let mut since = put(store, "a/1", "1").await;
    for change in 0..4 {
        assert!(holds(store, range(), since).await, "before change {change}");
        let changed = match change {
            0 => put(store, "a/2", "1").await,
            1 => put(store, "a/1", "1").await,
            2 => delete(store, "a/2").await,
            _ => {
                delete(store, "a/1").await;
                put(store, "a/1", "1").await
            }
        };
        assert!(!holds(store, range(), since).await, "after change {change}");
        assert!(!holds(store, range(), changed - 1).await, "after change {change}");
        since = changed;
    }
}

/// It stands beside other preconditions, the first that fails is named, and a transaction may change the range
/// it pins.
pub async fn a_range_is_pinned_with_other_things(store: &impl Backend) {
    let since = put(store, "a/1", "1").await;
    let range = || KeyRange::prefix("a/");
    let pinned = |since| {
        let exists = Precondition::Exists("a/1".into());
        Txn::new().when(exists).when(unchanged(range(), since)).put("a/2", "2")
    };
    let absent = pinned(since).when(Precondition::Absent("a/1".into()));
    let failed = store.commit(absent.when(unchanged(range(), 1))).await;
    assert!(matches!(failed, Err(Error::Precondition { index: 2 })), "{failed:?}");
    let last = commit(store, pinned(since)).await;
    let failed = store.commit(pinned(since)).await;
    assert!(matches!(failed, Err(Error::Precondition { index: 1 })), "{failed:?}");
    assert_eq!(now(store).await, last);
    assert_eq!(commit(store, pinned(last)).await, last + 1);
}

/// In a range that holds no key nothing happens.
pub async fn an_empty_range_never_changes(store: &impl Backend) {
    let none = || KeyRange { start: "b".into(), end: Some("a".into()) };
    let since = put(store, "a", "1").await;
    put(store, "b", "2").await;
    delete(store, "b").await;
    assert!(holds(store, none(), since).await);
    let nothing_there = KeyRange::prefix("nobody/");
    assert!(holds(store, nothing_there, since).await);
}

/// After a compacted revision nobody knows what changed; a revision that is not yet there is refused too.
pub async fn the_past_must_be_known(store: &impl Backend) {
    let first = put(store, "a", "1").await;
    for i in 0..4 {
        put(store, "b", &i.to_string()).await;
    }
    store.compact(first + 2).await.expect("the revision is there");
    let commit = async |since| {
        let txn = Txn::new().when(unchanged(KeyRange::key("a"), since));
        store.commit(txn.put("c", "1")).await
    };
    let refused = commit(first + 1).await;
    assert!(
        matches!(refused, Err(Error::Compacted { compacted }) if compacted == first + 2),
        "{refused:?}"
    );
    let current = now(store).await;
    let refused = commit(current + 1).await;
    assert!(matches!(refused, Err(Error::Future { .. })), "{refused:?}");
    assert_eq!(now(store).await, current);
    commit(first + 2).await.expect("what came after it is known");
}
