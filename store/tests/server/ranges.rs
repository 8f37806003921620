//! Reading.

use crate::scene::{everywhere, ours, refused};
use crate::wire::range_request::{SortOrder, SortTarget};
use crate::wire::*;
use tonic::Code;

/// a=3 at 2, b=1 at 3, c=2 at 4, a=4 at 5.
async fn seed(scene: &mut crate::scene::Scene) {
    for (key, value) in [("a", "3"), ("b", "1"), ("c", "2"), ("a", "4")] {
        scene.put(key, value).await;
    }
}

#[tokio::test]
async fn a_range_is_a_key_or_up_to_a_key_or_all_behind() {
    everywhere(async |scene| {
        seed(scene).await;
        assert_eq!(scene.list(range("a", "")).await, "a=4");
        assert_eq!(scene.list(range("a", "c")).await, "a=4 b=1");
        assert_eq!(scene.list(range("b", "\0")).await, "b=1 c=2");
        assert_eq!(scene.list(range("\0", "\0")).await, "a=4 b=1 c=2");
        assert_eq!(scene.list(range("c", "a")).await, "", "an end before the start");
        assert_eq!(scene.list(range("d", "")).await, "");
        let response = scene.range(range("a", "")).await;
        let kv = &response.kvs[0];
        assert_eq!((kv.create_revision, kv.mod_revision, kv.version, kv.lease), (2, 5, 2, 0));
        assert_eq!((revision(&response.header), response.count, response.more), (5, 1, false));
    })
    .await;
}

#[tokio::test]
async fn a_limit_leaves_a_count_and_a_sign_that_there_is_more() {
    everywhere(async |scene| {
        seed(scene).await;
        for (limit, kvs, more) in
            [(1, 1, true), (2, 2, true), (3, 3, false), (4, 3, false), (0, 3, false)]
        {
            let response = scene.range(RangeRequest { limit, ..range("a", "z") }).await;
            assert_eq!((response.kvs.len(), response.count, response.more), (kvs, 3, more));
        }
        let count_only = RangeRequest { count_only: true, limit: 1, ..range("a", "z") };
        let response = scene.range(count_only).await;
        assert_eq!((response.kvs.len(), response.count, response.more), (0, 3, false));
        let keys_only = RangeRequest { keys_only: true, limit: 2, ..range("a", "z") };
        assert_eq!(scene.list(keys_only).await, "a= b=");
    })
    .await;
}

#[tokio::test]
async fn the_past_can_be_read_until_it_is_compacted() {
    everywhere(async |scene| {
        seed(scene).await;
        let past = |revision| RangeRequest { revision, ..range("a", "z") };
        let response = scene.range(past(3)).await;
        assert_eq!(short(&response.kvs), "a=3 b=1");
        assert_eq!(revision(&response.header), 5, "the header tells of now");
        let future = scene.kv.range(past(6)).await;
        let message = "etcdserver: mvcc: required revision is a future revision";
        refused(future, Code::OutOfRange, message);

        scene.compact(4).await.unwrap();
        assert_eq!(scene.list(past(4)).await, "a=3 b=1 c=2", "the revision named stays");
        let message = "etcdserver: mvcc: required revision has been compacted";
        refused(scene.kv.range(past(3)).await, Code::OutOfRange, message);
        refused(scene.compact(4).await, Code::OutOfRange, message);
        refused(scene.compact(2).await, Code::OutOfRange, message);
        let message = "etcdserver: mvcc: required revision is a future revision";
        refused(scene.compact(6).await, Code::OutOfRange, message);
        scene.compact(5).await.unwrap();
        assert_eq!(scene.list(range("a", "z")).await, "a=4 b=1 c=2");
    })
    .await;
}

#[tokio::test]
async fn keys_are_sorted_as_asked() {
    everywhere(async |scene| {
        seed(scene).await;
        let sorted = |target: SortTarget, order: SortOrder, limit| RangeRequest {
            sort_target: target.into(),
            sort_order: order.into(),
            limit,
            ..range("a", "z")
        };
        use {SortOrder::*, SortTarget::*};
        for (target, order, limit, expected) in [
            (Key, Ascend, 0, "a=4 b=1 c=2"),
            (Key, Descend, 2, "c=2 b=1"),
            (Version, Descend, 1, "a=4"),
            (Create, Descend, 0, "c=2 b=1 a=4"),
            (Mod, Ascend, 0, "b=1 c=2 a=4"),
            (Mod, Descend, 1, "a=4"),
            (Value, Ascend, 0, "b=1 c=2 a=4"),
            (Value, Descend, 2, "a=4 c=2"),
        ] {
            let response = scene.range(sorted(target, order, limit)).await;
            assert_eq!(short(&response.kvs), expected, "{target:?} {order:?}");
            assert_eq!((response.count, response.more), (3, limit != 0));
        }
    })
    .await;
    // An etcd before 3.5 took it for none.
    ours(async |scene| {
        let message = "etcdserver: invalid sort option";
        for wrong in [
            RangeRequest { sort_order: 7, ..range("a", "z") },
            RangeRequest { sort_target: 7, ..range("a", "z") },
        ] {
            refused(scene.kv.range(wrong).await, Code::InvalidArgument, message);
        }
    })
    .await;
}

#[tokio::test]
async fn keys_are_chosen_by_their_revisions() {
    everywhere(async |scene| {
        seed(scene).await;
        let all = || range("a", "z");
        for (request, expected) in [
            (RangeRequest { min_mod_revision: 4, ..all() }, "a=4 c=2"),
            (RangeRequest { max_mod_revision: 4, ..all() }, "b=1 c=2"),
            (RangeRequest { min_create_revision: 3, max_create_revision: 3, ..all() }, "b=1"),
            (RangeRequest { min_mod_revision: 3, limit: 2, ..all() }, "a=4 b=1"),
        ] {
            assert_eq!(scene.list(request).await, expected);
        }
        let filtered = RangeRequest { min_mod_revision: 3, limit: 2, ..all() };
        let response = scene.range(filtered).await;
        assert_eq!((response.count, response.more), (3, true));
    })
    .await;
}

#[tokio::test]
async fn a_key_must_be_named() {
    everywhere(async |scene| {
        let message = "etcdserver: key is not provided";
        refused(scene.kv.range(range("", "")).await, Code::InvalidArgument, message);
        refused(scene.kv.put(put("", "v")).await, Code::InvalidArgument, message);
        refused(scene.kv.delete_range(delete("", "")).await, Code::InvalidArgument, message);
        let compare = txn([at_revision("", 0)], [], []);
        refused(scene.kv.txn(compare).await, Code::InvalidArgument, message);
    })
    .await;
}
