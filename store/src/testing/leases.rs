//! What [`Lease`](crate::Lease) promises. The stores of these cases must end leases by themselves.

use super::helpers::{
    DEADLINE, commit, delete, list, next, now, put, put_leased, short, value, watch,
};
use crate::{Backend, Error, Event, KeyRange, LeaseId, LeaseStatus, Precondition, Txn};
use futures::future::{join, join_all};
use std::time::Duration;
use tokio::time::Instant;

/// Longer than any case takes.
const LONG: Duration = Duration::from_secs(1000);
/// As short as a store allows.
const SHORT: Duration = Duration::from_secs(1);

/// Runs the cases of this module.
pub async fn contract<B: Backend>(make: &impl AsyncFn() -> B) {
    a_lease_has_a_name_and_a_time(&make().await).await;
    a_name_is_given_once(&make().await).await;
    times_have_limits(&make().await).await;
    a_lease_that_is_not_there_is_refused(&make().await).await;
    a_key_has_its_last_lease(&make().await).await;
    a_lease_goes_with_its_keys(&make().await).await;
    nothing_is_put_on_a_lease_that_goes(&make().await).await;
    a_lease_ends_by_itself(&make().await).await;
    a_lease_is_kept_alive(&make().await).await;
}

async fn grant(store: &impl Backend, ttl: Duration) -> LeaseStatus {
    store.grant(ttl, None).await.expect("the store chooses a name")
}

/// The keys of a lease.
async fn keys(store: &impl Backend, id: LeaseId) -> Vec<String> {
    let (_, keys) = store.time_to_live(id).await.expect("the lease is there");
    keys.iter().map(|key| super::helpers::text(key)).collect()
}

/// All leases, in order.
async fn leases(store: &impl Backend) -> Vec<LeaseId> {
    let mut leases = store.leases().await.expect("the store is open");
    leases.sort();
    leases
}

fn is_not_found<T>(result: &crate::Result<T>, id: LeaseId) -> bool {
    matches!(result, Err(Error::LeaseNotFound { id: found }) if *found == id)
}

/// The store chooses names that differ; a time to live is what was asked for, rounded up to seconds, or more.
pub async fn a_lease_has_a_name_and_a_time(store: &impl Backend) {
    let before = now(store).await;
    let first = grant(store, Duration::from_millis(100_500)).await;
    let second = grant(store, LONG).await;
    assert_ne!(first.id, second.id);
    assert!(first.granted >= Duration::from_secs(101), "{first:?}");
    assert_eq!(first.granted.subsec_nanos(), 0, "{first:?}");
    let (status, keys) = store.time_to_live(first.id).await.expect("it is there");
    assert_eq!((status.id, status.granted, keys.len()), (first.id, first.granted, 0));
    assert!(status.remaining <= status.granted, "{status:?}");
    assert!(status.remaining + DEADLINE > status.granted, "{status:?}");
    let mut both = vec![first.id, second.id];
    both.sort();
    assert_eq!(leases(store).await, both);
    assert_eq!(now(store).await, before, "a lease has no revision");
}

/// A name may be asked for, but not while a lease has it.
pub async fn a_name_is_given_once(store: &impl Backend) {
    let id = LeaseId::new(77).expect("not zero");
    let status = store.grant(LONG, Some(id)).await.expect("it is free");
    assert_eq!(status.id, id);
    let again = store.grant(LONG, Some(id)).await;
    assert!(matches!(again, Err(Error::LeaseExists { id: found }) if found == id), "{again:?}");
    put_leased(store, "a", id).await;
    store.revoke(id).await.expect("it is there");
    store.grant(LONG, Some(id)).await.expect("it is free again");
    assert_eq!(keys(store, id).await, [""; 0]);
}

/// A lease lives for a second at least, and not for ever.
pub async fn times_have_limits(store: &impl Backend) {
    let status = grant(store, Duration::ZERO).await;
    assert!(status.granted >= Duration::from_secs(1), "{status:?}");
    let too_long = store.grant(Duration::from_secs(9_000_000_001), None).await;
    assert!(matches!(too_long, Err(Error::Invalid(_))), "{too_long:?}");
    let longest = Duration::from_secs(9_000_000_000);
    assert_eq!(grant(store, longest).await.granted, longest);
}

/// Nothing can be done with a lease that is not there; a transaction that names one changes nothing, and
/// its preconditions come first.
pub async fn a_lease_that_is_not_there_is_refused(store: &impl Backend) {
    let id = grant(store, LONG).await.id;
    put_leased(store, "a", id).await;
    store.revoke(id).await.expect("it is there");
    let before = now(store).await;
    assert!(is_not_found(&store.keep_alive(id).await, id));
    assert!(is_not_found(&store.revoke(id).await, id));
    assert!(is_not_found(&store.time_to_live(id).await, id));
    let txn = Txn::new().put("b", "1").put_leased("c", "2", id);
    assert!(is_not_found(&store.commit(txn.clone()).await, id));
    let failed = store.commit(txn.when(Precondition::Exists("z".into()))).await;
    assert!(matches!(failed, Err(Error::Precondition { index: 0 })), "{failed:?}");
    assert_eq!(now(store).await, before);
    assert_eq!(list(store, KeyRange::all(), 0, None).await.0, [""; 0]);
    assert_eq!(leases(store).await, []);
}

/// A key belongs to the lease it was last written with; reads and watches tell which.
pub async fn a_key_has_its_last_lease(store: &impl Backend) {
    let (first, second) = (grant(store, LONG).await.id, grant(store, LONG).await.id);
    let mut stream = watch(store, "", now(store).await).await;
    for key in ["c", "a", "b", "d"] {
        put_leased(store, key, first).await;
    }
    assert_eq!(keys(store, first).await, ["a", "b", "c", "d"]);
    put_leased(store, "a", second).await;
    put(store, "b", "2").await;
    delete(store, "d").await;
    assert_eq!(keys(store, first).await, ["c"]);
    assert_eq!(keys(store, second).await, ["a"]);
    let all = store.range(&KeyRange::all(), 0, None).await.expect("the store is open");
    let of_keys: Vec<_> = all.items.iter().map(|kv| kv.lease).collect();
    assert_eq!(of_keys, [Some(second), None, Some(first)]);
    let past = store.get(b"a", Some(all.revision - 3)).await.expect("it is readable");
    assert_eq!(past.and_then(|kv| kv.lease), Some(first));
    for expected in [Some(first), Some(first), Some(first), Some(first), Some(second), None] {
        let batch = next(&mut stream).await;
        assert!(matches!(&batch.events[0], Event::Put { now, .. } if now.lease == expected));
    }
    put_leased(store, "d", second).await;
    assert_eq!(keys(store, first).await, ["c"]);
}

/// A revoked lease takes all its keys with it at one revision, and no others. One without keys needs no revision.
pub async fn a_lease_goes_with_its_keys(store: &impl Backend) {
    let (id, other) = (grant(store, LONG).await.id, grant(store, LONG).await.id);
    let many: Vec<String> = (0..100).map(|i| format!("k/{i:03}")).collect();
    let txn = many.iter().fold(Txn::new(), |txn, key| txn.put_leased(key.clone(), "v", id));
    let before = commit(store, txn.put("stays", "").put_leased("other", "", other)).await;
    let mut stream = watch(store, "", before).await;
    let revision = store.revoke(id).await.expect("it is there");
    assert_eq!(revision, before + 1);
    let (at, mut gone) = short(&next(&mut stream).await);
    gone.sort();
    let expected: Vec<String> = many.iter().map(|key| format!("-{key}")).collect();
    assert_eq!((at, gone), (revision, expected));
    assert_eq!(list(store, KeyRange::all(), 0, None).await.0, ["other", "stays"]);
    assert_eq!(value(store, "k/007", Some(before)).await.as_deref(), Some("v"));
    assert_eq!(leases(store).await, [other]);
    let empty = grant(store, LONG).await.id;
    assert_eq!(store.revoke(empty).await.expect("it is there"), revision);
    assert_eq!(now(store).await, revision);
}

/// Whoever writes while a lease is revoked is either told that it is gone, or his key goes with it.
pub async fn nothing_is_put_on_a_lease_that_goes(store: &impl Backend) {
    let id = grant(store, LONG).await.id;
    let write = join_all((0..8).map(|task| async move {
        for i in 0.. {
            let txn = Txn::new().put_leased(format!("{task}/{}", i % 5), "", id);
            match store.commit(txn).await {
                Ok(_) => tokio::task::yield_now().await,
                Err(Error::LeaseNotFound { .. }) => break,
                Err(error) => panic!("{error}"),
            }
        }
    }));
    let revoke = async {
        let mut stream = watch(store, "", now(store).await).await;
        for _ in 0..20 {
            next(&mut stream).await;
        }
        store.revoke(id).await.expect("it is there");
    };
    join(write, revoke).await;
    assert_eq!(list(store, KeyRange::all(), 0, None).await.0, [""; 0]);
}

/// When its time is over a lease goes with its keys, all at once; not before, and also when one that lasts
/// longer was there first.
pub async fn a_lease_ends_by_itself(store: &impl Backend) {
    let long = grant(store, LONG).await.id;
    put_leased(store, "long", long).await;
    // The store's own watch over the ends of leases has seen the long one now.
    tokio::task::yield_now().await;
    let start = Instant::now();
    let lease = grant(store, SHORT).await;
    let txn = Txn::new().put_leased("a", "1", lease.id).put_leased("b", "2", lease.id);
    let before = commit(store, txn).await;
    let mut stream = watch(store, "", before).await;
    let (at, mut gone) = short(&next(&mut stream).await);
    assert!(start.elapsed() >= lease.granted, "{:?} is too early", start.elapsed());
    gone.sort();
    assert_eq!((at, gone), (before + 1, vec!["-a".into(), "-b".into()]));
    assert_eq!(list(store, KeyRange::all(), 0, None).await.0, ["long"]);
    assert!(is_not_found(&store.keep_alive(lease.id).await, lease.id));
    assert_eq!(leases(store).await, [long]);
}

/// Each keep-alive starts the time again.
pub async fn a_lease_is_kept_alive(store: &impl Backend) {
    let lease = grant(store, SHORT).await;
    let before = put_leased(store, "a", lease.id).await;
    let mut last = Instant::now();
    for _ in 0..3 {
        tokio::time::sleep(lease.granted / 2).await;
        last = Instant::now();
        let ttl = store.keep_alive(lease.id).await.expect("its time is not over");
        assert_eq!(ttl, lease.granted);
    }
    assert_eq!(now(store).await, before, "keeping alive writes nothing");
    let mut stream = watch(store, "", before).await;
    assert_eq!(short(&next(&mut stream).await), (before + 1, vec!["-a".into()]));
    assert!(last.elapsed() >= lease.granted, "{:?} is too early", last.elapsed());
}
