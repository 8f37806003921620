//! Words that the cases are written in.

use crate::{
    Backend, Batch, Event, KeyRange, LeaseId, RangeResult, Result, Revision, Txn, WatchStream,
};
use futures::StreamExt;
use std::time::Duration;

/// How long a case waits for what must come.
pub(super) const DEADLINE: Duration = Duration::from_secs(10);

pub(super) async fn put(store: &impl Backend, key: &str, value: &str) -> Revision {
    commit(store, Txn::new().put(key.to_owned(), value.to_owned())).await
}

pub(super) async fn put_leased(store: &impl Backend, key: &str, lease: LeaseId) -> Revision {
    commit(store, Txn::new().put_leased(key.to_owned(), "", lease)).await
}

pub(super) async fn delete(store: &impl Backend, key: &str) -> Revision {
    commit(store, Txn::new().delete(key.to_owned())).await
}

pub(super) async fn commit(store: &impl Backend, txn: Txn) -> Revision {
    store.commit(txn).await.expect("the transaction holds").revision
}

pub(super) async fn now(store: &impl Backend) -> Revision {
    store.current_revision().await.expect("the store is open")
}

/// The value under a key.
pub(super) async fn value(store: &impl Backend, key: &str, at: Option<Revision>) -> Option<String> {
    let kv = store.get(key.as_bytes(), at).await.expect("the revision can be read")?;
    Some(text(&kv.value))
}

pub(super) async fn list(
    store: &impl Backend,
    range: KeyRange,
    limit: usize,
    at: Option<Revision>,
) -> (Vec<String>, u64) {
    let result = store.range(&range, limit, at).await.expect("the revision can be read");
    (keys(&result), result.remaining)
}

pub(super) fn keys(result: &RangeResult) -> Vec<String> {
    result.items.iter().map(|kv| text(&kv.key)).collect()
}

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("cases write text")
}

pub(super) async fn watch(
    store: &impl Backend,
    prefix: &'static str,
    after: Revision,
) -> WatchStream {
    store.watch(KeyRange::prefix(prefix), after).await.expect("the watch starts")
}

/// What the stream gives next.
pub(super) async fn next_result(stream: &mut WatchStream) -> Option<Result<Batch>> {
    tokio::time::timeout(DEADLINE, stream.next()).await.expect("the stream gives something in time")
}

pub(super) async fn next(stream: &mut WatchStream) -> Batch {
    next_result(stream).await.expect("the stream goes on").expect("the stream is sound")
}

/// A batch in short: `+key=value` and `-key`, with its revision.
pub(super) fn short(batch: &Batch) -> (Revision, Vec<String>) {
    let short = |event: &Event| match event {
        Event::Put { now, .. } => format!("+{}={}", text(&now.key), text(&now.value)),
        Event::Delete { previous } => format!("-{}", text(&previous.key)),
    };
    (batch.revision, batch.events.iter().map(short).collect())
}
