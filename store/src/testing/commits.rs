//! What [`Commit`](crate::Commit) promises.

use super::helpers::{commit, delete, list, now, put, text, value};
use crate::{Backend, Error, KeyRange, Precondition, Txn};
use futures::future::join_all;

/// Runs the cases of this module.
pub async fn contract<B: Backend>(make: &impl AsyncFn() -> B) {
    revisions_grow_by_one(&make().await).await;
    a_commit_tells_what_was_before(&make().await).await;
    a_key_knows_its_life(&make().await).await;
    preconditions_are_checked(&make().await).await;
    a_failed_transaction_changes_nothing(&make().await).await;
    many_operations_are_one_revision(&make().await).await;
    deleting_nothing_writes_nothing(&make().await).await;
    senseless_transactions_are_refused(&make().await).await;
    concurrent_changes_are_not_lost(&make().await).await;
}

/// The first commit has revision 2, and each the one after the last.
pub async fn revisions_grow_by_one(store: &impl Backend) {
    assert_eq!(now(store).await, 1);
    assert_eq!(put(store, "a", "1").await, 2);
    assert_eq!(put(store, "b", "1").await, 3);
    assert_eq!(put(store, "a", "1").await, 4);
    assert_eq!(now(store).await, 4);
}

/// For each operation the commit gives back what stood there.
pub async fn a_commit_tells_what_was_before(store: &impl Backend) {
    put(store, "a", "1").await;
    put(store, "b", "2").await;
    let txn = Txn::new().delete("b").put("c", "3").put("a", "4").delete("d");
    let committed = store.commit(txn).await.expect("nothing forbids it");
    let values = committed.previous.iter().map(|kv| kv.as_ref().map(|kv| text(&kv.value)));
    let values: Vec<_> = values.collect();
    assert_eq!(values, [Some("2".into()), None, Some("1".into()), None]);
}

/// Creation, last change and count of changes are kept; a key that comes again starts anew.
pub async fn a_key_knows_its_life(store: &impl Backend) {
    let created = put(store, "a", "1").await;
    put(store, "b", "1").await;
    let changed = put(store, "a", "2").await;
    let kv = store.get(b"a", None).await.expect("it is open").expect("it is there");
    assert_eq!((kv.create_revision, kv.mod_revision, kv.version), (created, changed, 2));
    delete(store, "a").await;
    let again = put(store, "a", "3").await;
    let kv = store.get(b"a", None).await.expect("it is open").expect("it is there");
    assert_eq!((kv.create_revision, kv.mod_revision, kv.version), (again, again, 1));
}

/// Each kind of precondition holds when it should; the first that does not is named.
pub async fn preconditions_are_checked(store: &impl Backend) {
    let at = put(store, "a", "1").await;
    let holds = [
        Precondition::Exists("a".into()),
        Precondition::Absent("b".into()),
        Precondition::ModRevision("a".into(), at),
        Precondition::Value("a".into(), "1".into()),
    ];
    let fails = [
        Precondition::Exists("b".into()),
        Precondition::Absent("a".into()),
        Precondition::ModRevision("a".into(), at - 1),
        Precondition::ModRevision("b".into(), at),
        Precondition::Value("a".into(), "2".into()),
        Precondition::Value("b".into(), "".into()),
    ];
    let all = holds.iter().cloned().fold(Txn::new(), Txn::when);
    for fail in fails {
        let txn = all.clone().when(fail.clone()).when(Precondition::Exists("b".into()));
        let error = store.commit(txn.put("x", "y")).await.expect_err("one does not hold");
        assert!(matches!(error, Error::Precondition { index: 4 }), "{fail:?}: {error}");
    }
    commit(store, all.put("x", "y")).await;
}

/// When one precondition fails, no operation happens and no revision passes.
pub async fn a_failed_transaction_changes_nothing(store: &impl Backend) {
    put(store, "a", "1").await;
    let before = now(store).await;
    let txn = Txn::new().when(Precondition::Absent("a".into())).put("b", "2").delete("a");
    store.commit(txn).await.expect_err("a is there");
    assert_eq!(now(store).await, before);
    assert_eq!(list(store, KeyRange::all(), 0, None).await.0, ["a"]);
}

/// All operations of a transaction have the same revision.
pub async fn many_operations_are_one_revision(store: &impl Backend) {
    put(store, "gone", "1").await;
    let revision = commit(store, Txn::new().put("a", "1").put("b", "2").delete("gone")).await;
    let result = store.range(&KeyRange::all(), 0, None).await.expect("it is open");
    assert_eq!(result.revision, revision);
    assert!(result.items.iter().all(|kv| kv.mod_revision == revision), "{result:?}");
    assert_eq!(result.items.len(), 2);
}

/// A transaction without an effect happens, and writes nothing.
pub async fn deleting_nothing_writes_nothing(store: &impl Backend) {
    let before = put(store, "a", "1").await;
    assert_eq!(delete(store, "b").await, before);
    assert_eq!(now(store).await, before);
    assert_eq!(commit(store, Txn::new()).await, before);
}

/// Empty keys and keys named by two operations are refused before anything happens.
pub async fn senseless_transactions_are_refused(store: &impl Backend) {
    let many = (0..40).fold(Txn::new(), |txn, i| txn.put(format!("k{i}"), ""));
    let senseless = [
        Txn::new().put("", "1"),
        Txn::new().delete(""),
        Txn::new().put("a", "1").put("a", "2"),
        Txn::new().put("a", "1").delete("a"),
        many.delete("k7"),
    ];
    for txn in senseless {
        let error = store.commit(txn.clone()).await.expect_err("it makes no sense");
        assert!(matches!(error, Error::Invalid(_)), "{txn:?}: {error}");
    }
    assert_eq!(now(store).await, 1);
}

/// Many tasks that each read, add one and write if nobody else did: every addition counts.
pub async fn concurrent_changes_are_not_lost(store: &impl Backend) {
    const TASKS: u64 = 8;
    const EACH: u64 = 20;
    put(store, "sum", "0").await;
    join_all((0..TASKS).map(|_| async {
        for _ in 0..EACH {
            while !add_one(store).await {}
        }
    }))
    .await;
    assert_eq!(value(store, "sum", None).await, Some((TASKS * EACH).to_string()));
}

/// Whether nobody came between reading and writing.
async fn add_one(store: &impl Backend) -> bool {
    let kv = store.get(b"sum", None).await.expect("it is open").expect("it is there");
    let sum: u64 = text(&kv.value).parse().expect("only numbers are written");
    // Lets the others read the same.
    tokio::task::yield_now().await;
    let unchanged = Precondition::ModRevision("sum".into(), kv.mod_revision);
    match store.commit(Txn::new().when(unchanged).put("sum", (sum + 1).to_string())).await {
        Ok(_) => true,
        Err(Error::Precondition { index: 0 }) => false,
        Err(error) => panic!("{error}"),
    }
}
