//! A control plane in this process: how fast it starts, writes and reads.

#![allow(missing_docs, reason = "criterion's macros make public functions")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::runtime::Runtime;
use windlass::standalone::{Cluster, Options};
use windlass_benches::config_map;
use windlass_core::client::{Key, ListOptions, Scope, WriteOptions};
use windlass_core::scheme;

/// A control plane on which only the benches write.
fn quiet() -> Options {
    Options { controllers: false, scheduler: false, ..Options::in_memory() }
}

fn start(c: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let mut group = c.benchmark_group("control plane");
    group.sample_size(10);
    group.bench_function("start and stop in memory", |b| {
        b.iter(|| {
            runtime.block_on(async {
                Cluster::start(Options::in_memory()).await.expect("starts").stop().await;
            });
        });
    });
    group.finish();
}

fn requests(c: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let cluster = runtime.block_on(Cluster::start(quiet())).expect("starts");
    let client = cluster.client();
    let (next, options) = (AtomicU64::new(0), WriteOptions::default());
    let mut group = c.benchmark_group("in process");
    group.throughput(Throughput::Elements(1));
    group.bench_function("create ConfigMap 1 KiB", |b| {
        b.iter(|| {
            let name = format!("c{}", next.fetch_add(1, Ordering::Relaxed));
            let key = Key::new(scheme::CONFIGMAPS, "default", &name);
            runtime.block_on(client.create(&key, config_map(&name), &options)).expect("created")
        });
    });
    let key = Key::new(scheme::CONFIGMAPS, "default", "c0");
    group.bench_function("get", |b| b.iter(|| runtime.block_on(client.get(&key)).expect("there")));
    let scope = Scope::namespace(scheme::CONFIGMAPS, "default");
    let page = ListOptions { resource_version: "0".into(), limit: 500, ..ListOptions::default() };
    group.bench_function("list 500 from the cache", |b| {
        b.iter(|| runtime.block_on(client.list(&scope, &page)).expect("a list"));
    });
    group.finish();
    runtime.block_on(cluster.stop());
}

criterion_group!(benches, start, requests);
criterion_main!(benches);
