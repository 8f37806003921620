//! Readers, watchers, writers and compaction at the same time, on several threads.

use futures::StreamExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use windlass_store::{Backend, Commit, Embedded, KeyRange, Memory, Txn};

/// So many that a read of all takes several turns.
const KEYS: usize = 1500;

/// Writes the same number into the first and the last key, and others in between, again and again.
async fn write(store: &impl Commit, rounds: usize) {
    for i in 0..rounds {
        let ends = Txn::new().put("a", i.to_string()).put("z", i.to_string());
        store.commit(ends).await.unwrap();
        let key = format!("k/{:05}", i * 7 % KEYS);
        let txn = match i % 3 {
            0 => Txn::new().delete(key),
            _ => Txn::new().put(key, i.to_string()),
        };
        store.commit(txn).await.unwrap();
    }
}

/// Each read of all sees one revision, whatever is written or compacted meanwhile.
async fn every_read_is_one_moment(store: Arc<impl Backend + 'static>, rounds: usize) {
    let fill = (0..KEYS).fold(Txn::new(), |txn, i| txn.put(format!("k/{i:05}"), ""));
    store.commit(fill.put("a", "0").put("z", "0")).await.unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let reading = [0, 700].map(|limit| {
        let (store, over) = (store.clone(), over.clone());
        tokio::spawn(async move {
            let mut reads = 0u64;
            while !over.load(Ordering::Relaxed) {
                read_once(&*store, limit).await;
                reads += 1;
                tokio::task::yield_now().await;
            }
            reads
        })
    });
    let (compacting, end) = (store.clone(), over.clone());
    let compacting = tokio::spawn(async move {
        while !end.load(Ordering::Relaxed) {
            let now = compacting.current_revision().await.unwrap();
            compacting.compact(now).await.unwrap();
            tokio::task::yield_now().await;
        }
    });
    write(&*store, rounds).await;
    over.store(true, Ordering::Relaxed);
    compacting.await.unwrap();
    for reading in reading {
        assert!(reading.await.unwrap() > 0);
    }
}

async fn read_once(store: &impl Backend, limit: usize) {
    let all = store.range(&KeyRange::all(), limit, None).await.unwrap();
    assert!(all.items.iter().all(|kv| kv.mod_revision <= all.revision));
    assert!(all.items.is_sorted_by(|a, b| a.key < b.key));
    if limit == 0 {
        assert_eq!(all.items[0].value, all.items[all.items.len() - 1].value);
    } else {
        assert_eq!(all.items.len(), limit);
        assert!(all.remaining <= (KEYS + 2 - limit) as u64);
    }
}

/// Watches that begin anywhere while several tasks write get every commit once and in order.
async fn every_watch_is_complete(store: Arc<impl Backend + 'static>, commits: u64) {
    const WRITERS: u64 = 4;
    let last = WRITERS * commits + 1;
    let writers = (0..WRITERS).map(|writer| {
        let store = store.clone();
        tokio::spawn(async move {
            for i in 0..commits {
                let key = format!("{writer}/{}", i % 10);
                store.commit(Txn::new().put(key, i.to_string())).await.unwrap();
            }
        })
    });
    let writers: Vec<_> = writers.collect();
    let watchers = (0..40u64).map(|i| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut before = store.watch(KeyRange::all(), 1).await.unwrap();
            let mut now = 1;
            while now < last * i / 40 {
                now = before.next().await.unwrap().unwrap().revision;
            }
            watch_from(&*store, now - (now - 1) * (i % 4) / 4, last).await;
        })
    });
    let watchers: Vec<_> = watchers.collect();
    for task in writers.into_iter().chain(watchers) {
        tokio::time::timeout(Duration::from_secs(60), task).await.unwrap().unwrap();
    }
}

/// All commits after a revision, and those of one writer among them.
async fn watch_from(store: &impl Backend, after: u64, last: u64) {
    let mut all = store.watch(KeyRange::all(), after).await.unwrap();
    let mut one = store.watch(KeyRange::prefix("1/"), after).await.unwrap();
    for revision in after + 1..=last {
        let batch = all.next().await.unwrap().unwrap();
        assert_eq!(batch.revision, revision);
        if batch.events[0].key().starts_with(b"1/") {
            let same = one.next().await.unwrap().unwrap();
            assert!(Arc::ptr_eq(&same.events, &batch.events), "events are not shared");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn watches_of_memory_are_complete() {
    every_watch_is_complete(Arc::new(Memory::new()), 2000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn watches_of_embedded_are_complete() {
    let dir = tempfile::tempdir().unwrap();
    let store = Embedded::open(crate::common::small(dir.path())).unwrap();
    every_watch_is_complete(Arc::new(store), 300).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn reads_of_memory_are_one_moment() {
    every_read_is_one_moment(Arc::new(Memory::new()), 2000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn reads_of_embedded_are_one_moment() {
    let dir = tempfile::tempdir().unwrap();
    let store = Embedded::open(crate::common::small(dir.path())).unwrap();
    every_read_is_one_moment(Arc::new(store), 500).await;
}
