//! Plans of controllers: what one decision costs.

#![allow(missing_docs, reason = "criterion's macros make public functions")]

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use windlass_controllers::bench;

fn plans(c: &mut Criterion) {
    let mut group = c.benchmark_group("Deployment plan, by ReplicaSets");
    for sets in [2, 10] {
        let plan = bench::deployment(sets);
        group.bench_with_input(BenchmarkId::from_parameter(sets), &sets, |b, _| b.iter(&plan));
    }
    group.finish();
    let mut group = c.benchmark_group("ReplicaSet plan, by pods");
    for pods in [100, 10_000] {
        let plan = bench::replicaset(pods);
        group.bench_with_input(BenchmarkId::from_parameter(pods), &pods, |b, _| b.iter(&plan));
    }
    group.finish();
    let mut group = c.benchmark_group("EndpointSlice plan, by endpoints");
    for pods in [100, 5000] {
        let plan = bench::endpointslice(pods);
        group.bench_with_input(BenchmarkId::from_parameter(pods), &pods, |b, _| b.iter(&plan));
    }
    group.finish();
}

criterion_group!(benches, plans);
criterion_main!(benches);
