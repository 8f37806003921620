//! Writing one key, removing many.

use crate::scene::{everywhere, refused};
use crate::wire::*;
use tonic::Code;

#[tokio::test]
async fn a_put_tells_its_revision_and_what_was_there() {
    everywhere(async |scene| {
        let with_previous = |value| PutRequest { prev_kv: true, ..put("a", value) };
        let response = scene.kv.put(with_previous("1")).await.unwrap().into_inner();
        assert_eq!((revision(&response.header), response.prev_kv), (2, None));
        let response = scene.kv.put(with_previous("2")).await.unwrap().into_inner();
        let previous = response.prev_kv.unwrap();
        assert_eq!(
            (revision(&response.header), text(&previous.value), previous.version),
            (3, "1".into(), 1)
        );
        let header = response.header.unwrap();
        assert!(header.cluster_id != 0 && header.member_id != 0 && header.raft_term > 0);
        let silent = scene.kv.put(put("a", "3")).await.unwrap().into_inner();
        assert_eq!(silent.prev_kv, None);
    })
    .await;
}

#[tokio::test]
async fn a_put_may_leave_the_value_as_it_is() {
    everywhere(async |scene| {
        let ignore_value = |key| PutRequest { ignore_value: true, ..put(key, "") };
        let message = "etcdserver: key not found";
        refused(scene.kv.put(ignore_value("a")).await, Code::InvalidArgument, message);
        scene.put("a", "1").await;
        scene.kv.put(ignore_value("a")).await.unwrap();
        let response = scene.range(range("a", "")).await;
        assert_eq!((short(&response.kvs), response.kvs[0].version), ("a=1".into(), 2));

        let both = PutRequest { ignore_value: true, ..put("a", "x") };
        let message = "etcdserver: value is provided";
        refused(scene.kv.put(both).await, Code::InvalidArgument, message);
        let both = PutRequest { ignore_lease: true, lease: 7, ..put("a", "x") };
        let message = "etcdserver: lease is provided";
        refused(scene.kv.put(both).await, Code::InvalidArgument, message);
        let message = "etcdserver: key not found";
        let absent = PutRequest { ignore_lease: true, ..put("b", "x") };
        refused(scene.kv.put(absent).await, Code::InvalidArgument, message);
    })
    .await;
}

#[tokio::test]
async fn a_delete_counts_and_tells_what_was_there() {
    everywhere(async |scene| {
        for key in ["a", "b", "c", "d", "e"] {
            scene.put(key, "1").await;
        }
        let mut gone = async |request| {
            let response = scene.kv.delete_range(request).await.unwrap().into_inner();
            (revision(&response.header), response.deleted, short(&response.prev_kvs))
        };
        assert_eq!(gone(delete("a", "")).await, (7, 1, String::new()));
        assert_eq!(gone(delete("a", "")).await, (7, 0, String::new()), "nothing is written");
        assert_eq!(gone(delete("x", "z")).await, (7, 0, String::new()));
        let with_previous = DeleteRangeRequest { prev_kv: true, ..delete("b", "d") };
        assert_eq!(gone(with_previous).await, (8, 2, "b=1 c=1".into()));
        let with_previous = DeleteRangeRequest { prev_kv: true, ..delete("d", "") };
        assert_eq!(gone(with_previous).await, (9, 1, "d=1".into()));
        assert_eq!(gone(delete("\0", "\0")).await, (10, 1, String::new()));
        assert_eq!(scene.list(range("\0", "\0")).await, "");
        let past = RangeRequest { revision: 9, ..range("\0", "\0") };
        assert_eq!(scene.list(past).await, "e=1");
    })
    .await;
}

#[tokio::test]
async fn a_range_is_removed_whole_while_others_write_into_it() {
    crate::scene::ours(async |scene| {
        let store = scene.store.clone().unwrap();
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let writer = tokio::spawn(async move {
            let mut n = 0u64;
            while !*stopped.borrow() {
                let txn = windlass_store::Txn::new().put(format!("k{}", n % 7), "v");
                store.commit(txn).await.unwrap();
                n += 1;
                tokio::task::yield_now().await;
            }
        });
        for _ in 0..50 {
            let request = delete("k", "l");
            let at = revision(&scene.kv.delete_range(request).await.unwrap().into_inner().header);
            let then = RangeRequest { revision: at, ..range("k", "l") };
            assert_eq!(scene.list(then).await, "", "nothing is left at its revision");
        }
        stop.send(true).unwrap();
        writer.await.unwrap();
    })
    .await;
}
