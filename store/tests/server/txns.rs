//! Transactions.

use crate::scene::{everywhere, ours, refused};
use crate::wire::*;
use CompareResult::{Equal, Greater, Less, NotEqual};
use CompareTarget::{Create, Lease, Mod, Value, Version};
use tonic::Code;

const DUPLICATE: &str = "etcdserver: duplicate key given in txn request";

#[tokio::test]
async fn a_key_is_written_if_it_is_at_a_revision() {
    everywhere(async |scene| {
        let create = txn([at_revision("a", 0)], [put("a", "1").into()], [range("a", "").into()]);
        assert_eq!(told(&scene.txn(create.clone()).await), "+P@2()");
        let response = scene.txn(create).await;
        assert_eq!(told(&response), "-R@2(a=1)");
        assert_eq!(revision(&response.header), 2, "nothing was written");
        let update = txn(
            [at_revision("a", 2)],
            [PutRequest { prev_kv: true, ..put("a", "2") }.into()],
            [range("a", "").into()],
        );
        assert_eq!(told(&scene.txn(update.clone()).await), "+P@3(a=1)");
        assert_eq!(told(&scene.txn(update).await), "-R@3(a=2)");
        let remove = |at| {
            let with_previous = DeleteRangeRequest { prev_kv: true, ..delete("a", "") };
            txn([at_revision("a", at)], [with_previous.into()], [range("a", "").into()])
        };
        assert_eq!(told(&scene.txn(remove(2)).await), "-R@3(a=2)");
        assert_eq!(told(&scene.txn(remove(3)).await), "+D@4(1:a=2)");
    })
    .await;
}

#[tokio::test]
async fn comparisons_of_every_kind() {
    everywhere(async |scene| {
        let lease = scene.kv.put(put("a", "m")).await; // 2
        lease.unwrap();
        scene.put("a", "n").await; // 3: version 2
        scene.put("b", "x").await; // 4
        let cases = [
            (compare("a", Equal, Version, TargetUnion::Version(2)), true),
            (compare("a", Greater, Version, TargetUnion::Version(2)), false),
            (compare("a", Less, Version, TargetUnion::Version(3)), true),
            (compare("a", NotEqual, Version, TargetUnion::Version(0)), true),
            (compare("no", NotEqual, Version, TargetUnion::Version(0)), false),
            (compare("no", Equal, Version, TargetUnion::Version(0)), true),
            (compare("a", Equal, Create, TargetUnion::CreateRevision(2)), true),
            (compare("a", Greater, Create, TargetUnion::CreateRevision(0)), true),
            (compare("no", Less, Create, TargetUnion::CreateRevision(1)), true),
            (compare("a", Equal, Mod, TargetUnion::ModRevision(3)), true),
            (compare("a", NotEqual, Mod, TargetUnion::ModRevision(3)), false),
            (compare("a", Equal, Value, TargetUnion::Value("n".into())), true),
            (compare("a", Equal, Value, TargetUnion::Value("m".into())), false),
            (compare("a", NotEqual, Value, TargetUnion::Value("m".into())), true),
            (compare("a", Greater, Value, TargetUnion::Value("m".into())), true),
            (compare("a", Less, Value, TargetUnion::Value("m".into())), false),
            (compare("no", NotEqual, Value, TargetUnion::Value("m".into())), false),
            (compare("no", Equal, Value, TargetUnion::Value("".into())), false),
            (compare("a", Equal, Lease, TargetUnion::Lease(0)), true),
            (compare("a", Greater, Lease, TargetUnion::Lease(0)), false),
        ];
        // Alone, then with a write, which takes another way.
        for (compare, expected) in cases {
            let read = txn([compare.clone()], [range("a", "").into()], []);
            assert_eq!(scene.txn(read).await.succeeded, expected, "{compare:?}");
            let write = txn([compare.clone()], [put("c", "1").into()], []);
            assert_eq!(scene.txn(write).await.succeeded, expected, "{compare:?}");
        }
        let all = |result, target, union| Compare {
            range_end: "c".into(),
            ..compare("a", result, target, union)
        };
        for (compare, expected) in [
            (all(Less, Mod, TargetUnion::ModRevision(5)), true),
            (all(Less, Mod, TargetUnion::ModRevision(4)), false),
            (all(Equal, Version, TargetUnion::Version(2)), false),
            (Compare { range_end: "\0".into(), ..at_revision("x", 0) }, true),
        ] {
            let response = scene.txn(txn([compare], [put("c", "1").into()], [])).await;
            assert_eq!(response.succeeded, expected);
        }
    })
    .await;
}

#[tokio::test]
async fn all_comparisons_must_hold_and_none_is_fine() {
    everywhere(async |scene| {
        let (yes, no) = (at_revision("a", 0), at_revision("b", 9));
        let one = || -> Vec<RequestOp> { vec![put("x", "1").into()] };
        assert!(!scene.txn(txn([yes.clone(), no], one(), [])).await.succeeded);
        assert!(scene.txn(txn([yes.clone(), at_revision("c", 0)], one(), [])).await.succeeded);
        assert!(scene.txn(txn([], one(), [])).await.succeeded);
        let empty = scene.txn(txn([yes], [], one())).await;
        assert_eq!((told(&empty), revision(&empty.header)), ("+".into(), 3));
    })
    .await;
}

#[tokio::test]
async fn later_operations_see_what_earlier_ones_did() {
    everywhere(async |scene| {
        scene.put("a", "1").await; // 2
        scene.put("b", "1").await; // 3
        let all = || -> RequestOp { range("a", "z").into() };
        let past = RangeRequest { revision: 2, ..range("a", "z") };
        let request = txn(
            [],
            [
                all(),
                put("c", "1").into(),
                all(),
                PutRequest { prev_kv: true, ..put("a", "2") }.into(),
                DeleteRangeRequest { prev_kv: true, ..delete("b", "c") }.into(),
                all(),
                past.into(),
                delete("b", "").into(),
            ],
            [],
        );
        let response = scene.txn(request).await;
        assert_eq!(
            told(&response),
            "+R@3(a=1 b=1) P@4() R@4(a=1 b=1 c=1) P@4(a=1) D@4(1:b=1) R@4(a=2 c=1) R@4(a=1) D@4(0:)"
        );
        assert_eq!(revision(&response.header), 4);
        let Some(response_op::Response::ResponseRange(seen)) = &response.responses[5].response
        else {
            panic!("a range")
        };
        let kvs = &seen.kvs;
        assert_eq!((kvs[0].create_revision, kvs[0].mod_revision, kvs[0].version), (2, 4, 2));
        assert_eq!((kvs[1].create_revision, kvs[1].mod_revision, kvs[1].version), (4, 4, 1));
        assert_eq!((seen.count, seen.more), (2, false));
        assert_eq!(scene.list(range("a", "z")).await, "a=2 c=1");
    })
    .await;
}

#[tokio::test]
async fn removing_what_is_not_there_is_no_commit() {
    everywhere(async |scene| {
        scene.put("a", "1").await;
        let response =
            scene.txn(txn([], [delete("x", "").into(), range("a", "").into()], [])).await;
        assert_eq!((told(&response), revision(&response.header)), ("+D@2(0:) R@2(a=1)".into(), 2));
        let response = scene.txn(txn([], [delete("x", "").into()], [])).await;
        assert_eq!((told(&response), revision(&response.header)), ("+D@2(0:)".into(), 2));
        let some =
            txn([], [delete("x", "").into(), delete("a", "").into(), delete("y", "z").into()], []);
        assert_eq!(told(&scene.txn(some).await), "+D@2(0:) D@3(1:) D@3(0:)");
    })
    .await;
}

#[tokio::test]
async fn transactions_within_transactions() {
    everywhere(async |scene| {
        scene.put("a", "1").await; // 2
        // The inner comparison is of what stood before the whole: `b` is not there yet.
        let inner = txn([at_revision("b", 0)], [put("c", "1").into(), range("b", "").into()], []);
        let other = txn([at_revision("a", 9)], [put("d", "1").into()], [put("d", "2").into()]);
        let request =
            txn([at_revision("a", 2)], [put("b", "1").into(), inner.into(), other.into()], []);
        let response = scene.txn(request).await;
        assert_eq!(told(&response), "+P@3() T[+P@3() R@3(b=1)] T[-P@3()]");
        assert_eq!(scene.list(range("a", "z")).await, "a=1 b=1 c=1 d=2");
        assert_eq!(revision(&response.header), 3);
    })
    .await;
}

#[tokio::test]
async fn no_key_is_written_twice() {
    everywhere(async |scene| {
        let put_a = || -> RequestOp { put("a", "1").into() };
        let nested = |then: RequestOp, otherwise: RequestOp| -> RequestOp {
            txn([at_revision("x", 0)], [then], [otherwise]).into()
        };
        for (ops, refuse) in [
            (vec![put_a(), put_a()], true),
            (vec![put_a(), delete("a", "").into()], true),
            (vec![delete("\0", "b").into(), put_a()], true),
            (vec![delete("b", "\0").into(), put_a()], false),
            (vec![delete("a", "c").into(), delete("b", "d").into()], false),
            (vec![put_a(), nested(put_a(), put("b", "1").into())], true),
            (vec![nested(put("c", "1").into(), put("c", "2").into())], false),
            (
                vec![nested(put_a(), put("b", "1").into()), nested(put("c", "1").into(), put_a())],
                true,
            ),
            (vec![nested(delete("a", "b").into(), put("z", "1").into()), put_a()], true),
        ] {
            let in_failure = txn([], [], ops.clone());
            let request = txn([], ops, []);
            let (result, other) =
                (scene.kv.txn(request.clone()).await, scene.kv.txn(in_failure).await);
            if refuse {
                refused(result, Code::InvalidArgument, DUPLICATE);
                refused(other, Code::InvalidArgument, DUPLICATE);
            } else {
                assert!(result.is_ok() && other.is_ok(), "{request:?}: {result:?}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn the_branch_that_is_not_taken_matters_not() {
    everywhere(async |scene| {
        scene.put("a", "1").await;
        let bad = || -> Vec<RequestOp> {
            vec![PutRequest { ignore_value: true, ..put("no", "") }.into()]
        };
        let fine = || -> Vec<RequestOp> { vec![put("b", "1").into()] };
        assert!(scene.kv.txn(txn([], fine(), bad())).await.is_ok());
        let message = "etcdserver: key not found";
        refused(scene.kv.txn(txn([], bad(), fine())).await, Code::InvalidArgument, message);
        let empty = RequestOp { request: None };
        refused(scene.kv.txn(txn([], [empty], [])).await, Code::InvalidArgument, message);
        let leased = PutRequest { lease: 77, ..put("c", "1") };
        let message = "etcdserver: requested lease not found";
        refused(
            scene.kv.txn(txn([], [leased.clone().into()], fine())).await,
            Code::NotFound,
            message,
        );
        assert!(scene.kv.txn(txn([at_revision("a", 9)], [leased.into()], fine())).await.is_ok());
        let future = RangeRequest { revision: 99, ..range("a", "") };
        let message = "etcdserver: mvcc: required revision is a future revision";
        let mixed = txn([], [put("c", "1").into(), future.into()], []);
        refused(scene.kv.txn(mixed).await, Code::OutOfRange, message);
        assert_eq!(scene.list(range("c", "")).await, "", "nothing of it happened");
    })
    .await;
}

#[tokio::test]
async fn a_put_in_a_transaction_may_keep_its_value() {
    everywhere(async |scene| {
        scene.put("a", "1").await;
        let touch = PutRequest { ignore_value: true, prev_kv: true, ..put("a", "") };
        let exists = compare("a", Greater, Create, TargetUnion::CreateRevision(0));
        assert_eq!(told(&scene.txn(txn([exists], [touch.into()], [])).await), "+P@3(a=1)");
        assert_eq!(scene.range(range("a", "")).await.kvs[0].version, 2);
    })
    .await;
}

#[tokio::test]
async fn an_operation_too_many_is_refused() {
    everywhere(async |scene| {
        let reads = |n| -> Vec<RequestOp> { vec![range("a", "").into(); n] };
        assert!(scene.kv.txn(txn([], reads(128), [])).await.is_ok());
        let message = "etcdserver: too many operations in txn request";
        refused(scene.kv.txn(txn([], reads(129), [])).await, Code::InvalidArgument, message);
        let compares = vec![at_revision("a", 0); 129];
        refused(scene.kv.txn(txn(compares, [], [])).await, Code::InvalidArgument, message);
        let inner = txn([], reads(128), []);
        let request = txn([], [inner.into()], []);
        refused(scene.kv.txn(request).await, Code::InvalidArgument, message);
    })
    .await;
}

/// Moves one from `a` to `b` if both are what was read: with comparisons of values, and a range that must be
/// the same all along.
async fn move_one(mut kv: kv_client::KvClient<tonic::transport::Channel>) {
    loop {
        let read = kv.range(range("n/", "n0")).await.unwrap().into_inner();
        let count = |at: usize| text(&read.kvs[at].value).parse::<i64>().unwrap();
        let (a, b) = (count(0), count(1));
        let same =
            |key, n: i64| compare(key, NotEqual, Value, TargetUnion::Value(n.to_string().into()));
        // Turned round: the failure branch writes. And a range, so that reading comes into it.
        let write = |key: &'static str, n: i64| -> RequestOp {
            PutRequest { key: key.into(), value: n.to_string().into(), ..Default::default() }.into()
        };
        let guard = txn([same("n/b", b)], [], [write("n/b", b + 1)]);
        let ops = [write("n/a", a - 1), range("n/", "n0").into(), guard.into()];
        let request = txn([same("n/a", a)], [], ops);
        let response = kv.txn(request).await.unwrap().into_inner();
        if response.succeeded {
            continue;
        }
        // `a` was as read: it is taken. `b` may have changed only if `a` had.
        let inner = response.responses[2].response.as_ref().unwrap();
        let response_op::Response::ResponseTxn(inner) = inner else { panic!("a transaction") };
        assert!(!inner.succeeded);
        return;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transactions_that_meet_all_happen_once() {
    const MOVERS: usize = 40;
    ours(async |scene| {
        scene.put("n/a", "40").await;
        scene.put("n/b", "0").await;
        let movers = (0..MOVERS).map(|_| tokio::spawn(move_one(scene.kv.clone())));
        for mover in movers.collect::<Vec<_>>() {
            mover.await.unwrap();
        }
        assert_eq!(scene.list(range("n/", "n0")).await, "n/a=0 n/b=40");
        let at = revision(&scene.range(range("n/", "n0")).await.header);
        assert_eq!(at, 3 + MOVERS as i64, "one commit each");
    })
    .await;
}
