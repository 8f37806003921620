//! Commits: memory and durable, one writer and many.

#![allow(missing_docs, reason = "criterion's macros make public functions")]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use futures::future::join_all;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::runtime::Runtime;
use windlass_store::{Backend, Embedded, EmbeddedOptions, Memory, Txn};

const PER_WRITER: u64 = 64;

async fn write(store: Arc<dyn Backend>, writers: u64, next: &AtomicU64) {
    let value = bytes::Bytes::from(vec![b'x'; 1024]);
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

fn store(c: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let dir = tempfile::tempdir().expect("a folder");
    let embedded = Embedded::open(EmbeddedOptions::new(dir.path())).expect("opens");
    let backends: [(&str, Arc<dyn Backend>); 2] =
        [("memory", Arc::new(Memory::new())), ("embedded fsync", Arc::new(embedded))];
    let next = AtomicU64::new(0);
    let mut group = c.benchmark_group("put 1 KiB");
    group.sample_size(10);
    for (name, backend) in backends {
        for writers in [1, 16, 64] {
            group.throughput(Throughput::Elements(writers * PER_WRITER));
            group.bench_with_input(BenchmarkId::new(name, writers), &writers, |b, &writers| {
                b.iter(|| runtime.block_on(write(backend.clone(), writers, &next)));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, store);
criterion_main!(benches);
