//! An object: its header, a small view, the full typed kind.

#![allow(missing_docs, reason = "criterion's macros make public functions")]

use criterion::{Criterion, criterion_group, criterion_main};
use serde::Deserialize;
use std::hint::black_box;
use windlass_core::Object;
use windlass_core::apis::core::v1::Pod;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    #[allow(dead_code, reason = "decoded, not read")]
    node_name: String,
}

#[derive(Deserialize)]
struct Small {
    #[allow(dead_code, reason = "decoded, not read")]
    spec: Spec,
}

fn object(c: &mut Criterion) {
    let json = windlass_benches::pod("1", "node-1");
    let object = Object::from_stored(json.clone(), 7).expect("canonical");
    let mut group = c.benchmark_group("pod");
    group.throughput(criterion::Throughput::Bytes(json.len() as u64));
    group.bench_function("header", |b| {
        b.iter(|| Object::from_stored(black_box(json.clone()), 7).expect("canonical"));
    });
    group.bench_function("small view", |b| b.iter(|| object.view::<Small>().expect("a view")));
    group.bench_function("typed", |b| b.iter(|| object.view::<Pod>().expect("a pod")));
    group.bench_function("wire form", |b| b.iter(|| black_box(object.chunks())));
    group.finish();
}

criterion_group!(benches, object);
criterion_main!(benches);
