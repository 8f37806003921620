//! What etcd does not take.

use crate::cluster::Cluster;
use windlass_store::{Commit, Error, KeyRange, Precondition, Read, Txn};

#[tokio::test]
async fn etcds_own_limits_are_explained() {
    let cluster = Cluster::start(1).await;
    let store = cluster.store().await;
    let many = (0..129).fold(Txn::new(), |txn, i| txn.put(format!("k{i}"), ""));
    let conditions = (0..129).fold(Txn::new().put("a", ""), |txn, i| {
        txn.when(Precondition::Absent(format!("k{i}").into()))
    });
    let large = (0..2).fold(Txn::new(), |txn, i| txn.put(format!("k{i}"), vec![7; 1 << 20]));
    let larger = (0..5).fold(Txn::new(), |txn, i| txn.put(format!("k{i}"), vec![7; 1 << 20]));
    let value = Txn::new().put("a", vec![7; 2 << 20]);
    for (txn, hint) in [
        (many, "--max-txn-ops"),
        (conditions, "--max-txn-ops"),
        (large, "--max-request-bytes"),
        (larger, "--max-request-bytes"),
        (value, "the limit is 1572864"),
    ] {
        let error = store.commit(txn).await.unwrap_err();
        assert!(matches!(&error, Error::Invalid(why) if why.contains(hint)), "{hint}: {error}");
    }
    assert_eq!(store.current_revision().await.unwrap(), 1);
}

#[tokio::test]
async fn ranges_longer_than_a_message_are_read() {
    let cluster = Cluster::start(1).await;
    let store = cluster.store().await;
    for part in 0..12 {
        let add = |txn: Txn, i| txn.put(format!("k/{:04}", part * 100 + i), vec![7; 10_000]);
        store.commit((0..100).fold(Txn::new(), add)).await.unwrap();
    }
    let all = store.range(&KeyRange::all(), 0, None).await.unwrap();
    assert_eq!((all.items.len(), all.remaining, all.revision), (1200, 0, 13));
    assert!(all.items.is_sorted_by(|a, b| a.key < b.key));
    let some = store.range(&KeyRange::all(), 700, Some(10)).await.unwrap();
    assert_eq!((some.items.len(), some.remaining, some.revision), (700, 200, 10));
}
