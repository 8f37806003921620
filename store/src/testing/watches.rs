//! What [`Watch`](crate::Watch) promises.

use super::helpers::{commit, delete, next, next_result, now, put, short, text, watch};
use crate::{Backend, Error, Event, KeyRange, Txn};
use futures::future::{join, join_all};

/// Runs the cases of this module.
pub async fn contract<B: Backend>(make: &impl AsyncFn() -> B) {
    commits_arrive_in_order(&make().await).await;
    only_the_range_is_seen(&make().await).await;
    a_transaction_is_one_batch(&make().await).await;
    events_know_what_was_before(&make().await).await;
    the_past_is_replayed(&make().await).await;
    nothing_is_missed_or_repeated(&make().await).await;
    watchers_share_events(&make().await).await;
    progress_comes_after_the_batches(&make().await).await;
    the_future_is_refused(&make().await).await;
    streams_end_with_the_store(make().await).await;
}

/// Each commit comes once, in the order of revisions.
pub async fn commits_arrive_in_order(store: &impl Backend) {
    let mut stream = watch(store, "", now(store).await).await;
    let first = put(store, "a", "1").await;
    put(store, "b", "2").await;
    delete(store, "a").await;
    assert_eq!(short(&next(&mut stream).await), (first, vec!["+a=1".into()]));
    assert_eq!(short(&next(&mut stream).await), (first + 1, vec!["+b=2".into()]));
    assert_eq!(short(&next(&mut stream).await), (first + 2, vec!["-a".into()]));
}

/// What does not touch the range is not delivered, be it a whole commit or a part of one.
pub async fn only_the_range_is_seen(store: &impl Backend) {
    let after = now(store).await;
    let mut prefix = watch(store, "a/", after).await;
    let mut key = store.watch(KeyRange::key("a/1"), after).await.expect("the watch starts");
    put(store, "b/1", "no").await;
    put(store, "a/2", "yes").await;
    let last = commit(store, Txn::new().put("a/1", "x").put("b/1", "y").delete("a/2")).await;
    assert_eq!(short(&next(&mut prefix).await).1, ["+a/2=yes"]);
    assert_eq!(short(&next(&mut prefix).await), (last, vec!["+a/1=x".into(), "-a/2".into()]));
    assert_eq!(short(&next(&mut key).await), (last, vec!["+a/1=x".into()]));
}

/// The changes of a transaction come together, in the order of its operations.
pub async fn a_transaction_is_one_batch(store: &impl Backend) {
    put(store, "c", "0").await;
    let mut stream = watch(store, "", now(store).await).await;
    let at = commit(store, Txn::new().put("b", "1").delete("c").put("a", "2")).await;
    let expected = ["+b=1", "-c", "+a=2"].map(str::to_owned).to_vec();
    assert_eq!(short(&next(&mut stream).await), (at, expected));
}

/// Events carry the key as it was, and as it is.
pub async fn events_know_what_was_before(store: &impl Backend) {
    let mut stream = watch(store, "", now(store).await).await;
    let first = put(store, "a", "1").await;
    let second = put(store, "a", "2").await;
    delete(store, "a").await;
    let events = [next(&mut stream).await, next(&mut stream).await, next(&mut stream).await];
    let events = events.map(|batch| batch.events[0].clone());
    assert!(matches!(&events[0], Event::Put { previous: None, .. }), "{events:?}");
    let Event::Put { now, previous: Some(before) } = &events[1] else { panic!("{events:?}") };
    assert_eq!((now.version, now.create_revision, now.mod_revision), (2, first, second));
    assert_eq!((text(&before.value).as_str(), before.mod_revision), ("1", first));
    let Event::Delete { previous } = &events[2] else { panic!("{events:?}") };
    assert_eq!(previous, now);
}

/// A watch from a past revision begins with what happened since.
pub async fn the_past_is_replayed(store: &impl Backend) {
    let first = put(store, "a", "1").await;
    put(store, "b", "2").await;
    put(store, "x", "3").await;
    delete(store, "b").await;
    let mut stream = store
        .watch(KeyRange { start: "a".into(), end: Some("c".into()) }, first)
        .await
        .expect("the past is there");
    put(store, "a", "4").await;
    assert_eq!(short(&next(&mut stream).await), (first + 1, vec!["+b=2".into()]));
    assert_eq!(short(&next(&mut stream).await), (first + 3, vec!["-b".into()]));
    assert_eq!(short(&next(&mut stream).await), (first + 4, vec!["+a=4".into()]));
}

/// Watches that start at any revision, while others write, see every commit exactly once.
pub async fn nothing_is_missed_or_repeated(store: &impl Backend) {
    const COMMITS: u64 = 300;
    let start = now(store).await;
    let write = async {
        for i in 0..COMMITS {
            put(store, &format!("k/{}", i % 7), &i.to_string()).await;
            tokio::task::yield_now().await;
        }
    };
    let watchers = join_all((0..24).map(|i| async move {
        for _ in 0..i * 5 {
            tokio::task::yield_now().await;
        }
        let after = start + (now(store).await - start) * i % 5 / 4;
        let mut stream = watch(store, "k/", after).await;
        for expected in after + 1..=start + COMMITS {
            assert_eq!(next(&mut stream).await.revision, expected);
        }
    }));
    join(write, watchers).await;
}

/// Many watchers of the same and of overlapping ranges each get everything; one that goes away
/// disturbs nobody.
pub async fn watchers_share_events(store: &impl Backend) {
    let after = now(store).await;
    let mut streams = Vec::new();
    for prefix in ["", "a", "a/", "a/1", "a/", "a"] {
        streams.push(watch(store, prefix, after).await);
    }
    put(store, "a/1", "x").await;
    drop(streams.remove(2));
    put(store, "a/1", "y").await;
    for stream in &mut streams {
        assert_eq!(short(&next(stream).await), (after + 1, vec!["+a/1=x".into()]));
        assert_eq!(short(&next(stream).await), (after + 2, vec!["+a/1=y".into()]));
    }
}

/// Asked for, a report of progress comes to every stream, after the batches before it, and names
/// a revision not before the one at which it was asked for.
pub async fn progress_comes_after_the_batches(store: &impl Backend) {
    let after = now(store).await;
    let mut busy = watch(store, "a", after).await;
    let mut idle = watch(store, "z", after).await;
    put(store, "a", "1").await;
    let last = put(store, "b", "2").await;
    store.request_progress().await.expect("the store is open");
    assert_eq!(short(&next(&mut busy).await), (after + 1, vec!["+a=1".into()]));
    for stream in [&mut busy, &mut idle] {
        let progress = next(stream).await;
        assert!(progress.events.is_empty(), "{progress:?}");
        assert_eq!(progress.revision, last);
    }
}

/// A watch can't start after a revision that does not exist yet.
pub async fn the_future_is_refused(store: &impl Backend) {
    let current = now(store).await;
    let refused = store.watch(KeyRange::all(), current + 1).await.err();
    assert!(matches!(refused, Some(Error::Future { .. })), "{refused:?}");
}

/// When the store goes, its streams end without an error, after what was committed.
pub async fn streams_end_with_the_store(store: impl Backend) {
    let mut stream = watch(&store, "", now(&store).await).await;
    put(&store, "a", "1").await;
    drop(store);
    assert_eq!(short(&next(&mut stream).await).1, ["+a=1"]);
    assert!(next_result(&mut stream).await.is_none());
}
