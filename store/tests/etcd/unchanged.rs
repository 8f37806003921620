//! Ranges that must not have changed.

use crate::cluster::{Cluster, put};
use windlass_store::{Commit, Compact, Error, Etcd, KeyRange, Precondition, Result, Txn};

async fn pinned(store: &Etcd, since: u64) -> Result<()> {
    let range = KeyRange::prefix("r/");
    let txn = Txn::new()
        .when(Precondition::Exists("x".into()))
        .when(Precondition::Unchanged(KeyRange { start: "b".into(), end: Some("a".into()) }, since))
        .when(Precondition::Unchanged(range, since))
        .when(Precondition::Absent("y".into()));
    store.commit(txn.put("x", "again")).await.map(|_| ())
}

#[tokio::test]
async fn a_pinned_range_is_watched_over() {
    let cluster = Cluster::start(1).await;
    let store = cluster.store().await;
    put(&store, "x", "").await.unwrap();
    put(&store, "r/1", "").await.unwrap();
    let since = put(&store, "r/2", "").await.unwrap();
    pinned(&store, since).await.unwrap();
    put(&store, "s", "outside").await.unwrap();
    pinned(&store, since).await.unwrap();
    let fails = |result: Result<()>| {
        let error = result.unwrap_err();
        assert!(matches!(error, Error::Precondition { index: 2 }), "{error}");
    };
    let changed = put(&store, "r/1", "changed").await.unwrap();
    fails(pinned(&store, since).await);
    pinned(&store, changed).await.unwrap();
    let added = put(&store, "r/3", "added").await.unwrap();
    fails(pinned(&store, changed).await);
    pinned(&store, added).await.unwrap();
    let removed = store.commit(Txn::new().delete("r/1")).await.unwrap().revision;
    fails(pinned(&store, added).await);
    pinned(&store, removed).await.unwrap();
    put(&store, "y", "").await.unwrap();
    let error = pinned(&store, removed).await.unwrap_err();
    assert!(matches!(error, Error::Precondition { index: 3 }), "{error}");
    fails(pinned(&store, added).await);
}

#[tokio::test]
async fn a_range_is_pinned_at_a_revision_that_can_be_read() {
    let cluster = Cluster::start(1).await;
    let store = cluster.store().await;
    put(&store, "x", "").await.unwrap();
    let since = put(&store, "r/1", "").await.unwrap();
    put(&store, "s", "").await.unwrap();
    let last = put(&store, "s", "").await.unwrap();
    let error = pinned(&store, last + 1).await.unwrap_err();
    assert!(matches!(error, Error::Future { .. }), "{error}");
    store.compact(since + 1).await.unwrap();
    for store in [&store, &cluster.store().await] {
        let error = pinned(store, since).await.unwrap_err();
        assert!(matches!(error, Error::Compacted { .. }), "{error}");
        pinned(store, last).await.unwrap();
    }
}

#[tokio::test]
async fn a_range_too_long_to_pin_is_refused() {
    let cluster = Cluster::start(1).await;
    let store = cluster.store().await;
    for part in 0..2 {
        let fill = (0..100).fold(Txn::new(), |txn, i| txn.put(format!("r/{part}/{i}"), ""));
        store.commit(fill).await.unwrap();
    }
    let since = put(&store, "x", "").await.unwrap();
    let error = pinned(&store, since).await.unwrap_err();
    assert!(matches!(&error, Error::Invalid(why) if why.contains("--max-txn-ops")), "{error}");
}
