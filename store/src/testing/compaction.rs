//! What [`Compact`](crate::Compact) promises.

use super::helpers::{delete, list, next, now, put, short, value, watch};
use crate::{Backend, Error, KeyRange, Revision};

/// Runs the cases of this module.
pub async fn contract<B: Backend>(make: &impl AsyncFn() -> B) {
    the_compacted_past_is_gone(&make().await).await;
    what_stands_stays(&make().await).await;
    later_revisions_stay(&make().await).await;
    watches_need_their_events(&make().await).await;
    again_or_lower_does_nothing(&make().await).await;
    the_future_cannot_be_compacted(&make().await).await;
}

async fn compact(store: &impl Backend, up_to: Revision) {
    store.compact(up_to).await.expect("the revision is there");
}

/// Reads at or before the compacted revision are refused, and say from where one can read.
pub async fn the_compacted_past_is_gone(store: &impl Backend) {
    let first = put(store, "a", "1").await;
    put(store, "a", "2").await;
    put(store, "a", "3").await;
    compact(store, first + 1).await;
    for at in [first, first + 1] {
        let error = store.get(b"a", Some(at)).await.expect_err("it is compacted");
        assert!(matches!(error, Error::Compacted { compacted } if compacted == first + 1));
        let error = store.range(&KeyRange::all(), 0, Some(at)).await.expect_err("it is compacted");
        assert!(matches!(error, Error::Compacted { .. }), "{error}");
    }
}

/// What a key holds now is never forgotten, and the current revision can be read and watched.
pub async fn what_stands_stays(store: &impl Backend) {
    put(store, "a", "1").await;
    put(store, "b", "1").await;
    put(store, "a", "2").await;
    let last = delete(store, "b").await;
    compact(store, last).await;
    assert_eq!(value(store, "a", None).await.as_deref(), Some("2"));
    assert_eq!(list(store, KeyRange::all(), 0, None).await.0, ["a"]);
    assert_eq!(list(store, KeyRange::all(), 0, Some(last)).await.0, ["a"]);
    let mut stream = watch(store, "", last).await;
    put(store, "b", "3").await;
    assert_eq!(short(&next(&mut stream).await), (last + 1, vec!["+b=3".into()]));
    let kv = store.get(b"b", None).await.expect("it is open").expect("it is there");
    assert_eq!((kv.create_revision, kv.version), (last + 1, 1));
}

/// Everything after the compacted revision reads as before.
pub async fn later_revisions_stay(store: &impl Backend) {
    put(store, "a", "1").await;
    put(store, "b", "1").await;
    delete(store, "a").await;
    let up_to = put(store, "c", "1").await;
    put(store, "a", "2").await;
    delete(store, "b").await;
    let last = put(store, "a", "3").await;
    let read = async |at| {
        let all = store.range(&KeyRange::all(), 0, Some(at)).await.expect("it is readable");
        all.items
    };
    let mut before = Vec::new();
    for at in up_to + 1..=last {
        before.push(read(at).await);
    }
    compact(store, up_to).await;
    for (at, before) in (up_to + 1..=last).zip(before) {
        assert_eq!(read(at).await, before, "at revision {at}");
    }
}

/// A watch can start where its events are kept, and is told when they are not.
pub async fn watches_need_their_events(store: &impl Backend) {
    let first = put(store, "a", "1").await;
    put(store, "a", "2").await;
    put(store, "a", "3").await;
    put(store, "a", "4").await;
    compact(store, first + 1).await;
    let refused = store.watch(KeyRange::all(), first).await.err();
    assert!(matches!(refused, Some(Error::Compacted { .. })), "{refused:?}");
    let mut stream = watch(store, "", first + 1).await;
    assert_eq!(short(&next(&mut stream).await), (first + 2, vec!["+a=3".into()]));
    assert_eq!(short(&next(&mut stream).await), (first + 3, vec!["+a=4".into()]));
}

/// Compacting what is compacted changes nothing and is no error.
pub async fn again_or_lower_does_nothing(store: &impl Backend) {
    let first = put(store, "a", "1").await;
    put(store, "a", "2").await;
    put(store, "a", "3").await;
    for up_to in [first + 1, first + 1, first, 0] {
        compact(store, up_to).await;
        assert_eq!(value(store, "a", Some(first + 2)).await.as_deref(), Some("3"));
        store.get(b"a", Some(first + 1)).await.expect_err("it stays compacted");
    }
}

/// A revision that does not exist yet can't be compacted.
pub async fn the_future_cannot_be_compacted(store: &impl Backend) {
    put(store, "a", "1").await;
    let current = now(store).await;
    let error = store.compact(current + 1).await.expect_err("it is in the future");
    assert!(matches!(error, Error::Future { .. }), "{error}");
    assert_eq!(now(store).await, current);
}
