//! The calls that the storage of a Kubernetes API server (1.3x) makes, in the form it makes them.

use crate::scene::{everywhere, refused};
use crate::wire::lease_client::LeaseClient;
use crate::wire::maintenance_client::MaintenanceClient;
use crate::wire::watch_request::RequestUnion;
use crate::wire::*;
use tonic::{Code, Request};

const POD: &str = "/registry/pods/default/a";

fn value(at: Compare, write: impl Into<RequestOp>) -> TxnRequest {
    txn([at], [write.into()], [range(POD, "").into()])
}

/// Create, GuaranteedUpdate, Delete: each is conditional on the revision that was read.
#[tokio::test]
async fn an_object_lives() {
    everywhere(async |scene| {
        // Create: a transaction without an else branch.
        let create = txn([at_revision(POD, 0)], [put(POD, "1").into()], []);
        let created = scene.txn(create.clone()).await;
        assert_eq!((told(&created), revision(&created.header)), ("+P@2()".into(), 2));
        assert!(!scene.txn(create).await.succeeded, "it is there already");
        // Update, beginning with a version of the object that is old.
        let stale = scene.txn(value(at_revision(POD, 1), put(POD, "x"))).await;
        assert_eq!(told(&stale), "-R@2(/registry/pods/default/a=1)");
        let fresh = scene.txn(value(at_revision(POD, 2), put(POD, "2"))).await;
        assert_eq!(revision(&fresh.header), 3);
        let gone = scene.txn(value(at_revision(POD, 3), delete(POD, ""))).await;
        assert_eq!((told(&gone), revision(&gone.header)), ("+D@4(1:)".into(), 4));
        let gone = scene.txn(value(at_revision(POD, 3), delete(POD, ""))).await;
        assert_eq!(told(&gone), "-R@4()");
    })
    .await;
}

/// A list in pages: a limit, the revision of the first page, and the last key with a zero behind it.
#[tokio::test]
async fn a_collection_is_read_in_pages() {
    everywhere(async |scene| {
        for key in ["/registry/pods/a", "/registry/pods/b", "/registry/pods/c"] {
            scene.put(key, "1").await;
        }
        let all = || range("/registry/pods/", "/registry/pods0");
        let first = scene.range(RangeRequest { limit: 2, ..all() }).await;
        assert_eq!((first.kvs.len(), first.count, first.more), (2, 3, true));
        let at = revision(&first.header);
        scene.put("/registry/pods/d", "1").await;
        let next =
            RangeRequest { key: "/registry/pods/b\0".into(), limit: 2, revision: at, ..all() };
        let next = scene.range(next).await;
        assert_eq!((short(&next.kvs), next.more), ("/registry/pods/c=1".into(), false));
        let count = scene.range(RangeRequest { count_only: true, ..all() }).await;
        assert_eq!((count.kvs.len(), count.count), (0, 4));
        scene.compact(at + 1).await.unwrap();
        let late = scene.kv.range(RangeRequest { revision: at, ..all() }).await;
        let message = "etcdserver: mvcc: required revision has been compacted";
        refused(late, Code::OutOfRange, message);
    })
    .await;
}

/// The watch of the watch cache, with its requests for progress.
#[tokio::test]
async fn the_watch_cache_follows() {
    everywhere(async |scene| {
        let at = scene.put("/registry/pods/a", "1").await;
        let mut watching = scene.watching().await;
        let watch = WatchCreateRequest {
            key: "/registry/pods/".into(),
            range_end: "/registry/pods0".into(),
            start_revision: at + 1,
            progress_notify: true,
            prev_kv: true,
            ..Default::default()
        };
        watching.create(watch).await;
        scene.put("/registry/pods/a", "2").await;
        assert_eq!(watching.events().await, "+/registry/pods/a=2[1]");
        let now = scene.put("/registry/other", "1").await;
        // A consistent read from the cache waits until the cache is as new as the store.
        let newest =
            scene.range(RangeRequest { limit: 1, ..range("/registry/pods/", "/registry/pods0") });
        assert_eq!(revision(&newest.await.header), now);
        loop {
            watching.send(RequestUnion::ProgressRequest(WatchProgressRequest {})).await;
            let progress = watching.next().await;
            assert!(progress.events.is_empty() && !progress.canceled);
            if revision(&progress.header) >= now {
                break;
            }
        }
    })
    .await;
}

/// Events go with a lease that many of them share; a member of the cluster must have a leader.
#[tokio::test]
async fn events_share_a_lease() {
    everywhere(async |scene| {
        let mut lease = LeaseClient::new(scene.channel.clone());
        let granted = lease.lease_grant(LeaseGrantRequest { ttl: 3960, id: 0 }).await.unwrap();
        let id = granted.into_inner().id;
        for key in ["/registry/events/a", "/registry/events/b"] {
            let write = PutRequest { lease: id, ..put(key, "1") };
            let mut request = Request::new(txn([at_revision(key, 0)], [write.into()], []));
            request.metadata_mut().insert("hasleader", "true".parse().unwrap());
            assert!(scene.kv.txn(request).await.unwrap().into_inner().succeeded);
        }
        let keys = LeaseTimeToLiveRequest { id, keys: true };
        let status = lease.lease_time_to_live(keys).await.unwrap().into_inner();
        assert_eq!(status.keys.len(), 2);
    })
    .await;
}

/// The compactor of several servers: one of them moves the mark on, and compacts.
#[tokio::test]
async fn the_compactor_takes_turns() {
    const MARK: &str = "compact_rev_key";
    everywhere(async |scene| {
        scene.put("/registry/pods/a", "1").await;
        let turn = |version, revision: &'static str| {
            let same = compare(
                MARK,
                CompareResult::Equal,
                CompareTarget::Version,
                TargetUnion::Version(version),
            );
            txn([same], [put(MARK, revision).into()], [range(MARK, "").into()])
        };
        let first = scene.txn(turn(0, "0")).await;
        assert!(first.succeeded);
        let lost = scene.txn(turn(0, "0")).await;
        let Some(response_op::Response::ResponseRange(mark)) = &lost.responses[0].response else {
            panic!("a range")
        };
        assert_eq!((lost.succeeded, mark.kvs[0].version), (false, 1));
        let next = scene.txn(turn(1, "2")).await;
        assert!(next.succeeded);
        let request = CompactionRequest { revision: revision(&first.header), physical: false };
        scene.kv.compact(request).await.unwrap();
    })
    .await;
}

/// By the version it is decided what the server may ask for.
#[tokio::test]
async fn progress_may_be_asked_for() {
    crate::scene::ours(async |scene| {
        let mut client = MaintenanceClient::new(scene.channel.clone());
        let status = client.status(StatusRequest {}).await.unwrap().into_inner();
        let version: Vec<u32> = status.version.split('.').map(|n| n.parse().unwrap()).collect();
        assert!(version >= vec![3, 5, 13], "{version:?}");
        // The health check reads a key that is not there.
        assert_eq!(scene.list(range("health", "")).await, "");
    })
    .await;
}
