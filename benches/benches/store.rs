//! The store in process: commits of one writer and many, ranges, watch fan-out, opening.

#![allow(missing_docs, reason = "criterion's macros make public functions")]

use bytes::Bytes;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use futures::StreamExt;
use futures::future::join_all;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::runtime::Runtime;
use windlass_store::{
    Backend, Commit, Durability, Embedded, EmbeddedOptions, KeyRange, Memory, Read, Txn, Watch,
    WatchStream,
};

const PER_WRITER: u64 = 64;
const VALUE_BYTES: usize = 1024;
const KEYS: u64 = 100_000;
const WATCHERS: u64 = 1000;

fn value() -> Bytes {
    vec![b'x'; VALUE_BYTES].into()
}

fn embedded(dir: &Path, durability: Durability) -> Embedded {
    Embedded::open(EmbeddedOptions { durability, ..EmbeddedOptions::new(dir) }).expect("opens")
}

async fn write(store: Arc<dyn Backend>, writers: u64, next: &AtomicU64) {
    let value = value();
    let writer = |from: u64| {
        let (store, value) = (store.clone(), value.clone());
        async move {
            for key in from..from + PER_WRITER {
                let txn = Txn::new().put(format!("/bench/{key:012}"), value.clone());
                store.commit(txn).await.expect("committed");
            }
        }
    };
    let writers = (0..writers).map(|_| writer(next.fetch_add(PER_WRITER, Ordering::Relaxed)));
    join_all(writers.map(tokio::spawn)).await;
}

/// Puts all keys, many in a commit.
async fn fill(store: &dyn Backend) {
    for first in (0..KEYS).step_by(1000) {
        // Each value has memory of its own, as it has when it came over a wire.
        let put = |txn: Txn, key| txn.put(format!("/bench/{key:012}"), value());
        let txn = (first..first + 1000).fold(Txn::new(), put);
        store.commit(txn).await.expect("committed");
    }
}

fn commits(c: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let (synced, unsynced) = (tempfile::tempdir(), tempfile::tempdir());
    let (synced, unsynced) = (synced.expect("a folder"), unsynced.expect("a folder"));
    let backends: [(&str, Arc<dyn Backend>); 3] = [
        ("memory", Arc::new(Memory::new())),
        ("embedded buffered", Arc::new(embedded(unsynced.path(), Durability::Buffered))),
        ("embedded fsync", Arc::new(embedded(synced.path(), Durability::Fsync))),
    ];
    let next = AtomicU64::new(0);
    let mut group = c.benchmark_group("put 1 KiB");
    group.sample_size(10);
    for (name, backend) in backends {
        for writers in [1, 16, 64, 256] {
            group.throughput(Throughput::Elements(writers * PER_WRITER));
            group.bench_with_input(BenchmarkId::new(name, writers), &writers, |b, &writers| {
                b.iter(|| runtime.block_on(write(backend.clone(), writers, &next)));
            });
        }
    }
    group.finish();
}

fn ranges(c: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let store = Memory::new();
    runtime.block_on(fill(&store));
    let all = KeyRange::prefix("/bench/");
    let mut group = c.benchmark_group("range of 100,000 keys");
    for limit in [1, 500, 10_000] {
        group.throughput(Throughput::Elements(limit));
        group.bench_with_input(BenchmarkId::new("first", limit), &limit, |b, &limit| {
            b.iter(|| runtime.block_on(store.range(&all, limit as usize, None)).expect("read"));
        });
    }
    group.finish();
}

/// One commit, until all who watch its prefix have seen it.
fn fan_out(c: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let store = Memory::new();
    let watch = || runtime.block_on(store.watch(KeyRange::prefix("/bench/"), 1));
    let mut watchers: Vec<WatchStream> = (0..WATCHERS).map(|_| watch().expect("watched")).collect();
    let mut group = c.benchmark_group("watch");
    group.throughput(Throughput::Elements(WATCHERS));
    group.bench_function("one event to 1,000 watchers", |b| {
        b.iter(|| {
            runtime.block_on(async {
                store.commit(Txn::new().put("/bench/a", value())).await.expect("committed");
                for watcher in &mut watchers {
                    watcher.next().await.expect("the store is open").expect("not overrun");
                }
            });
        });
    });
    group.finish();
}

fn opening(c: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let dir = tempfile::tempdir().expect("a folder");
    let store = embedded(dir.path(), Durability::Buffered);
    runtime.block_on(fill(&store));
    drop(store);
    let mut group = c.benchmark_group("open");
    group.sample_size(10).throughput(Throughput::Elements(KEYS));
    group.bench_function("100,000 keys of 1 KiB", |b| {
        let open = |()| embedded(dir.path(), Durability::Buffered);
        b.iter_batched(|| (), open, BatchSize::PerIteration);
    });
    group.finish();
}

criterion_group!(benches, commits, ranges, fan_out, opening);
criterion_main!(benches);
