//! What a restart keeps, and what a log that fails or waits does to the store.

use crate::common::{files, keys, open, put, small, write_until_snapshot};
use futures::StreamExt;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;
use windlass_store::{
    Commit, Compact, Durability, Embedded, EmbeddedOptions, Error, KeyRange, Limits, Log, Memory,
    Precondition, Read, Record, Result, Revision, Txn, Watch,
};

/// A log that asks the test before each append.
struct Asking {
    about: Sender<Vec<Record>>,
    answer: Receiver<Result<()>>,
}

impl Log for Asking {
    fn append(&mut self, records: &[Record]) -> Result<()> {
        self.about.send(records.to_vec()).unwrap();
        self.answer.recv_timeout(Duration::from_secs(10)).unwrap()
    }

    fn replay(&mut self, _: Revision, _: &mut dyn FnMut(Record) -> Result<()>) -> Result<()> {
        Ok(())
    }

    fn truncate(&mut self, _: Revision) -> Result<()> {
        Ok(())
    }
}

struct Asked {
    store: Embedded,
    records: Receiver<Vec<Record>>,
    answer: Sender<Result<()>>,
    _dir: tempfile::TempDir,
}

fn asked() -> Asked {
    let dir = tempfile::tempdir().unwrap();
    let ((about, records), (answer, answers)) = (channel(), channel());
    let log = Asking { about, answer: answers };
    let store = Embedded::open_with(EmbeddedOptions::new(dir.path()), Box::new(log)).unwrap();
    Asked { store, records, answer, _dir: dir }
}

fn full() -> Error {
    Error::Io { context: "append".into(), source: std::io::Error::from_raw_os_error(28) }
}

/// While the disk is busy nothing of the commit is seen, and nobody who reads waits for it.
#[tokio::test]
async fn reads_do_not_wait_for_the_disk() {
    let Asked { store, records, answer, _dir } = asked();
    let mut watch = store.watch(KeyRange::all(), 1).await.unwrap();
    let commit = put(&store, "a", "1");
    tokio::pin!(commit);
    assert!(futures::poll!(&mut commit).is_pending());
    assert_eq!(records.recv_timeout(Duration::from_secs(10)).unwrap().len(), 1);
    assert_eq!(store.current_revision().await.unwrap(), 1);
    assert_eq!(store.get(b"a", None).await.unwrap(), None);
    assert!(futures::poll!(watch.next()).is_pending());
    answer.send(Ok(())).unwrap();
    assert_eq!(commit.await.unwrap(), 2);
    assert_eq!(keys(&store).await, ["a"]);
    assert_eq!(watch.next().await.unwrap().unwrap().revision, 2);
}

/// Commits that come while the disk is busy go there together, each decided on those before it.
#[tokio::test]
async fn commits_share_a_sync() {
    let Asked { store, records, answer, _dir } = asked();
    let first = put(&store, "first", "");
    tokio::pin!(first);
    assert!(futures::poll!(&mut first).is_pending());
    records.recv_timeout(Duration::from_secs(10)).unwrap();
    let create = || Txn::new().when(Precondition::Absent("a".into())).put("a", "1");
    let delete = Txn::new().when(Precondition::Value("a".into(), "1".into())).delete("a");
    let txns = [create(), create(), delete.clone(), delete, create()];
    let mut waiting: Vec<_> = txns.into_iter().map(|txn| store.commit(txn)).collect();
    for commit in &mut waiting {
        assert!(futures::poll!(commit).is_pending());
    }
    answer.send(Ok(())).unwrap();
    answer.send(Ok(())).unwrap();
    let results = futures::future::join_all(waiting).await;
    assert_eq!(records.recv_timeout(Duration::from_secs(10)).unwrap().len(), 3);
    let revisions = results.into_iter().map(|r| r.ok().map(|c| c.revision)).collect::<Vec<_>>();
    assert_eq!(revisions, [Some(3), None, Some(4), None, Some(5)]);
    assert_eq!(first.await.unwrap(), 2);
}

/// What the log refuses did not happen, for no one; the next commit starts from what did.
#[tokio::test]
async fn a_refused_group_leaves_no_trace() {
    let Asked { store, records, answer, _dir } = asked();
    let mut watch = store.watch(KeyRange::all(), 1).await.unwrap();
    for result in [Ok(()), Err(full()), Ok(())] {
        answer.send(result).unwrap();
    }
    put(&store, "a", "1").await.unwrap();
    let refused = put(&store, "a", "2").await;
    assert!(matches!(&refused, Err(Error::Io { source, .. }) if source.raw_os_error() == Some(28)));
    let unchanged = Txn::new().when(Precondition::ModRevision("a".into(), 2)).put("a", "3");
    assert_eq!(store.commit(unchanged).await.unwrap().revision, 3);
    let seen = [watch.next().await, watch.next().await];
    assert_eq!(seen.map(|batch| batch.unwrap().unwrap().revision), [2, 3]);
    assert_eq!(records.try_iter().count(), 3);
}

/// Revisions go on; what the log still holds can be read and watched; compaction is remembered.
#[tokio::test]
async fn history_outlives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for i in 0..6 {
        put(&store, "a", &i.to_string()).await.unwrap();
    }
    store.compact(4).await.unwrap();
    drop(store);
    let store = open(dir.path());
    assert_eq!(store.current_revision().await.unwrap(), 7);
    let then = store.get(b"a", Some(5)).await.unwrap().unwrap();
    assert_eq!((&then.value[..], then.version), (&b"3"[..], 4));
    assert!(matches!(store.get(b"a", Some(4)).await, Err(Error::Compacted { compacted: 4 })));
    let refused = store.watch(KeyRange::all(), 3).await.err();
    assert!(matches!(refused, Some(Error::Compacted { .. })), "{refused:?}");
    let mut watch = store.watch(KeyRange::all(), 5).await.unwrap();
    assert_eq!(watch.next().await.unwrap().unwrap().revision, 6);
    assert_eq!(put(&store, "a", "6").await.unwrap(), 8);
}

/// Snapshots keep the log short; nothing but history is lost.
#[tokio::test]
async fn the_log_does_not_grow_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let count = write_until_snapshot(dir.path()).await;
    let store = Embedded::open(small(dir.path())).unwrap();
    assert_eq!(store.current_revision().await.unwrap(), count + 1);
    let all = store.range(&KeyRange::all(), 0, None).await.unwrap();
    for kv in &all.items {
        let value: u64 = std::str::from_utf8(&kv.value).unwrap().parse().unwrap();
        assert_eq!(kv.mod_revision, value + 2);
        assert_eq!(kv.version, value / 50 + 1);
        assert_eq!(kv.create_revision, value % 50 + 2);
    }
    assert_eq!(all.items.len() as u64, count.min(50));
    let refused = store.watch(KeyRange::all(), 2).await.err();
    let Some(Error::Compacted { compacted }) = refused else { panic!("{refused:?}") };
    assert!(store.watch(KeyRange::all(), compacted).await.is_ok());
    assert!(files(dir.path(), ".tmp").is_empty());
    assert_eq!(files(dir.path(), ".snap").len(), 1);
}

/// Without syncs a clean end, or the death of the process alone, loses nothing.
#[tokio::test]
async fn buffered_survives_a_clean_end() {
    let dir = tempfile::tempdir().unwrap();
    let options = || EmbeddedOptions { durability: Durability::Buffered, ..small(dir.path()) };
    for round in 0..3 {
        let store = Embedded::open(options()).unwrap();
        for i in 0..200 {
            put(&store, &format!("{round}-{i}"), "value").await.unwrap();
        }
        assert_eq!(keys(&store).await.len(), (round + 1) * 200);
    }
}

/// A value over the limit is refused before anything happens; one at the limit is taken.
#[tokio::test]
async fn values_have_a_limit() {
    let dir = tempfile::tempdir().unwrap();
    let limits = Limits { value_bytes: 100, txn_bytes: 250, ..Limits::default() };
    let options = EmbeddedOptions { limits, ..EmbeddedOptions::new(dir.path()) };
    let store = Embedded::open(options).unwrap();
    let refused = put(&store, "a", &"x".repeat(101)).await;
    assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
    let value = "x".repeat(100);
    assert_eq!(put(&store, "a", &value).await.unwrap(), 2);
    let many = ["b", "c", "d"].iter().fold(Txn::new(), |txn, k| txn.put(*k, value.clone()));
    assert!(matches!(store.commit(many).await, Err(Error::Invalid(_))));
}

/// A watcher that does not read is cut off: it gets what was kept for it, then is told, then the end.
#[tokio::test]
async fn a_slow_watcher_is_told() {
    let limits = Limits { watch_batches: 3, ..Limits::default() };
    let store = Memory::with_limits(limits);
    let mut slow = store.watch(KeyRange::all(), 1).await.unwrap();
    let mut quick = store.watch(KeyRange::all(), 1).await.unwrap();
    for i in 0..6u64 {
        put(&store, "a", &i.to_string()).await.unwrap();
        assert_eq!(quick.next().await.unwrap().unwrap().revision, i + 2);
    }
    for revision in 2..=4 {
        assert_eq!(slow.next().await.unwrap().unwrap().revision, revision);
    }
    assert!(matches!(slow.next().await, Some(Err(Error::Overrun { at: 4 }))));
    assert!(slow.next().await.is_none());
    let mut again = store.watch(KeyRange::all(), 4).await.unwrap();
    assert_eq!(again.next().await.unwrap().unwrap().revision, 5);
}

/// What is printed of keys and transactions tells nothing of the values.
#[tokio::test]
async fn values_are_not_printed() {
    let store = Memory::new();
    let txn = Txn::new().when(Precondition::Absent("a".into())).put("a", "hunter2");
    let value = Txn::new().when(Precondition::Value("a".into(), "hunter2".into())).delete("a");
    let mut watch = store.watch(KeyRange::all(), 1).await.unwrap();
    let mut text = format!("{txn:?} {value:?}");
    store.commit(txn).await.unwrap();
    text += &format!("{:?} {:?}", store.commit(value).await, watch.next().await);
    assert!(text.contains("<7 bytes>") && !text.contains("hunter2"), "{text}");
}
