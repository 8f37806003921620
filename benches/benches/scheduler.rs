//! The scheduling cycle alone, without an API server: the workloads of upstream's scheduler_perf by their names.
//!
//! Times are CPU time of the thread, one pod: neighbours on the machine don't count.

#![allow(missing_docs, reason = "criterion's macros make public functions")]

mod scheduler {
    pub(crate) mod clock;
    pub(crate) mod workload;
}

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use scheduler::clock::CpuClock;
use scheduler::workload::{Existing, Workload, cluster};
use std::sync::Arc;
use std::time::Duration;
use windlass_core::clock::Seeded;
use windlass_scheduler::framework::{Cycle, Engine, Profile};
use windlass_scheduler::plugins::simulated_profile;
use windlass_scheduler::{PodInfo, Simulation, Snapshot};

/// Places `count` pods on a copy of a cluster, each counted where it lands, and says what that cost.
fn place_all(
    before: &Snapshot,
    profile: &Arc<Profile>,
    count: u64,
    pod: &dyn Fn(u64) -> Arc<PodInfo>,
) -> Duration {
    let (mut cost, random, mut done) = (Duration::ZERO, Seeded::new(1), 0);
    while done < count {
        // Not so many that the cluster is full.
        let some = (count - done).min(5_000);
        let mut engine = Engine::new(before.clone());
        let pods: Vec<_> = (0..some).map(pod).collect();
        let clock = CpuClock::start();
        for pod in pods {
            if let Ok(node) = engine.place(&pod, profile, &random) {
                engine.snapshot.place(pod, node);
            }
        }
        cost += clock.elapsed();
        done += some;
    }
    cost
}

fn workloads(c: &mut Criterion) {
    let profile = Arc::new(simulated_profile());
    for workload in Workload::all() {
        let mut group = c.benchmark_group(workload.name);
        for nodes in [500, 5_000, 15_000] {
            let mut before = profile.snapshot();
            cluster(&mut before, nodes, &workload);
            group.bench_function(BenchmarkId::from_parameter(nodes), |b| {
                b.iter_custom(|count| place_all(&before, &profile, count, &|n| workload.pod(n)));
            });
        }
        group.finish();
    }
}

/// Pods of which no two are equal: nothing can be reused.
fn distinct(c: &mut Criterion) {
    let profile = Arc::new(simulated_profile());
    let mut group = c.benchmark_group("Distinct");
    for nodes in [500, 5_000, 15_000, 100_000] {
        let workload = Workload::basic();
        let mut before = profile.snapshot();
        cluster(&mut before, nodes, &workload);
        group.bench_function(BenchmarkId::from_parameter(nodes), |b| {
            b.iter_custom(|count| place_all(&before, &profile, count, &|n| workload.distinct(n)));
        });
    }
    group.finish();
}

/// One plugin over 5,000 nodes: its filter, and its score of all nodes.
fn plugins(c: &mut Criterion) {
    let profile = simulated_profile();
    let mut group = c.benchmark_group("Plugins 5000");
    for workload in Workload::all() {
        let mut before = profile.snapshot();
        cluster(&mut before, 5_000, &workload);
        let pod = workload.pod(0);
        for plugin in profile.names() {
            let alone = profile.only(plugin);
            let name = format!("{plugin}/{}", workload.name);
            group.bench_function(name, |b| {
                b.iter_custom(|count| {
                    let clock = CpuClock::start();
                    for _ in 0..count {
                        let mut cycle = Cycle::new(&pod, &before);
                        if let Ok(feasible) = cycle.filter(&alone) {
                            let nodes: Vec<_> = feasible.nodes().iter().collect();
                            std::hint::black_box(cycle.score(&alone, &nodes));
                        }
                    }
                    clock.elapsed()
                });
            });
        }
    }
    group.finish();
}

/// What-if on 100,000 nodes.
fn simulation(c: &mut Criterion) {
    let mut group = c.benchmark_group("Simulation");
    group.sample_size(10);
    let workload = Workload { existing: Existing::None, ..Workload::basic() };
    let mut before = simulated_profile().snapshot();
    cluster(&mut before, 100_000, &workload);
    group.bench_function("100000", |b| {
        b.iter_custom(|count| {
            let mut simulation = Simulation::new(before.clone());
            let pods: Vec<_> = (0..count).map(|n| workload.pod(n)).collect();
            let clock = CpuClock::start();
            std::hint::black_box(simulation.place(pods));
            clock.elapsed()
        });
    });
    group.finish();
}

fn config() -> Criterion {
    Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
}

criterion_group! { name = benches; config = config(); targets = workloads, distinct, plugins, simulation }
criterion_main!(benches);
