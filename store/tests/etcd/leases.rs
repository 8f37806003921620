//! Leases that etcd keeps.

use crate::cluster::{Cluster, next};
use std::time::Duration;
use windlass_store::{Commit, Error, Event, KeyRange, Lease, LeaseId, Read, Txn, Watch};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn keys_go_when_their_lease_ends() {
    let cluster = Cluster::start(1).await;
    let store = cluster.store().await;
    let lease = store.grant(Duration::from_millis(900), None).await.unwrap();
    assert!((1..=3).contains(&lease.granted.as_secs()), "{lease:?}");
    let start = std::time::Instant::now();
    let txn =
        Txn::new().put_leased("a", "1", lease.id).put_leased("b", "2", lease.id).put("c", "3");
    let at = store.commit(txn).await.unwrap().revision;
    assert_eq!(store.get(b"a", None).await.unwrap().unwrap().lease, Some(lease.id));
    let mut stream = store.watch(KeyRange::all(), at).await.unwrap();
    let batch = next(&mut stream).await.unwrap().unwrap();
    assert!(start.elapsed() >= lease.granted, "{:?}", start.elapsed());
    assert_eq!((batch.revision, batch.events.len()), (at + 1, 2), "{batch:?}");
    assert!(batch.events.iter().all(
        |event| matches!(event, Event::Delete { previous } if previous.lease == Some(lease.id))
    ));
    let error = store.keep_alive(lease.id).await.unwrap_err();
    assert!(matches!(error, Error::LeaseNotFound { id } if id == lease.id), "{error}");
}

#[tokio::test]
async fn leases_are_granted_listed_kept_and_revoked() {
    let cluster = Cluster::start(3).await;
    let store = cluster.store().await;
    let own = LeaseId::new(77).unwrap();
    let lease = store.grant(MINUTE, Some(own)).await.unwrap();
    assert_eq!((lease.id, lease.granted), (own, MINUTE));
    let error = store.grant(MINUTE, Some(own)).await.unwrap_err();
    assert!(matches!(error, Error::LeaseExists { id } if id == own), "{error}");
    let high = LeaseId::new(u64::MAX - 1).unwrap();
    store.grant(MINUTE, Some(high)).await.unwrap();
    for _ in 0..6 {
        let mut all = store.leases().await.unwrap();
        all.sort_unstable();
        assert_eq!(all, [own, high]);
    }
    let at =
        store.commit(Txn::new().put_leased("b", "", own).put_leased("a", "", own)).await.unwrap();
    assert_eq!(store.keep_alive(own).await.unwrap(), MINUTE);
    let (status, keys) = store.time_to_live(own).await.unwrap();
    assert!(status.remaining <= MINUTE && status.remaining > MINUTE / 2, "{status:?}");
    assert_eq!(keys, ["a", "b"]);
    assert_eq!(store.revoke(own).await.unwrap(), at.revision + 1);
    assert_eq!(store.range(&KeyRange::all(), 0, None).await.unwrap().items, []);
    assert_eq!(store.revoke(high).await.unwrap(), at.revision + 1);
    for error in [
        store.revoke(own).await.unwrap_err(),
        store.time_to_live(own).await.unwrap_err(),
        store.keep_alive(own).await.unwrap_err(),
        store.commit(Txn::new().put_leased("a", "", own)).await.unwrap_err(),
    ] {
        assert!(matches!(error, Error::LeaseNotFound { id } if id == own), "{error}");
    }
    let error = store.grant(Duration::from_secs(9_000_000_001), None).await.unwrap_err();
    assert!(matches!(error, Error::Invalid(_)), "{error}");
}

#[tokio::test]
async fn the_missing_one_of_several_leases_is_named() {
    let cluster = Cluster::start(1).await;
    let store = cluster.store().await;
    let there = store.grant(MINUTE, None).await.unwrap().id;
    let missing = LeaseId::new(5).unwrap();
    let txn = Txn::new().put_leased("a", "", there).put_leased("b", "", missing);
    let error = store.commit(txn).await.unwrap_err();
    assert!(matches!(error, Error::LeaseNotFound { id } if id == missing), "{error}");
    assert_eq!(store.get(b"a", None).await.unwrap(), None);
}
