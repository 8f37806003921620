//! The scheduling cycle alone, without an API server: the workloads of upstream's scheduler_perf by their names.
//!
//! Times are CPU time of the thread, one pod: neighbours on the machine don't count.

#![allow(missing_docs, reason = "criterion's macros make public functions")]

mod scheduler {
    pub(crate) mod clock;
    pub(crate) mod cluster;
    pub(crate) mod plugins;
}

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use scheduler::clock::CpuClock;
use scheduler::cluster::{SIZES, pod, snapshot, tried};
use scheduler::plugins::{cases, furnished};
use serde_json::json;
use std::cell::LazyCell;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use windlass_benches::workload::{PLACED, Template, Workload};
use windlass_core::clock::Seeded;
use windlass_scheduler::framework::{Cycle, Engine, Profile};
use windlass_scheduler::plugins::simulated_profile;
use windlass_scheduler::{PodInfo, Queue, Simulation, Snapshot};

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
        for nodes in SIZES {
            // Made for those only that are asked for.
            let before = LazyCell::new(|| snapshot(&profile, nodes, &workload));
            group.bench_function(BenchmarkId::from_parameter(nodes), |b| {
                b.iter_custom(|count| {
                    place_all(&before, &profile, count, &|n| tried(&workload, n))
                });
            });
        }
        group.finish();
    }
}

/// Pods of which no two are equal, nor ask for the same: nothing can be reused.
fn distinct(c: &mut Criterion) {
    let profile = Arc::new(simulated_profile());
    let workload = Workload::basic();
    let one = |n: u64| {
        let mut spec = workload.placed.spec.clone();
        let (cpu, memory) = (format!("{}m", 50 + n % 97), format!("{}Ki", 200_000 + n));
        spec["containers"][0]["resources"]["requests"] = json!({"cpu": cpu, "memory": memory});
        let template = Template { labels: json!({"only": n.to_string()}), spec };
        pod(&template, PLACED, &format!("p{n}"))
    };
    let mut group = c.benchmark_group("Distinct");
    for nodes in SIZES {
        let before = LazyCell::new(|| snapshot(&profile, nodes, &workload));
        group.bench_function(BenchmarkId::from_parameter(nodes), |b| {
            b.iter_custom(|count| place_all(&before, &profile, count, &one));
        });
    }
    group.finish();
}

/// One plugin: its filter of all nodes, and its score of those it leaves.
fn plugins(c: &mut Criterion) {
    let profile = simulated_profile();
    for nodes in SIZES {
        let before = LazyCell::new(|| furnished(&profile, nodes));
        let mut group = c.benchmark_group("Plugin");
        for (plugin, pod) in cases(&profile) {
            let alone = profile.only(plugin);
            group.bench_function(BenchmarkId::new(plugin, nodes), |b| {
                b.iter_custom(|count| {
                    let before = &*before;
                    let left =
                        Cycle::new(&pod, before).filter(&alone).map(|left| left.nodes().len());
                    assert!(left.is_ok_and(|left| left > 0), "{plugin} leaves no node");
                    let clock = CpuClock::start();
                    for _ in 0..count {
                        let mut cycle = Cycle::new(&pod, before);
                        if let Ok(feasible) = cycle.filter(&alone) {
                            let nodes: Vec<_> = feasible.nodes().iter().collect();
                            std::hint::black_box(cycle.score(&alone, &nodes));
                        }
                    }
                    clock.elapsed()
                });
            });
        }
        group.finish();
    }
}

/// Gates and order: a pod's way into the queue and out of it, beside so many others.
fn queue(c: &mut Criterion) {
    let mut group = c.benchmark_group("Queue");
    let workload = Workload::basic();
    for waiting in [1_000, 100_000] {
        group.bench_function(BenchmarkId::from_parameter(waiting), |b| {
            b.iter_custom(|count| {
                let (mut queue, now) = (Queue::new(Arc::new(simulated_profile())), Instant::now());
                (0..waiting).for_each(|n| queue.add(tried(&workload, n), now));
                let pods: Vec<_> = (0..count).map(|n| tried(&workload, waiting + n)).collect();
                let clock = CpuClock::start();
                for pod in pods {
                    queue.add(pod, now);
                    std::hint::black_box(queue.pop());
                }
                clock.elapsed()
            });
        });
    }
    group.finish();
}

/// What-if on 100,000 empty nodes.
fn simulation(c: &mut Criterion) {
    let profile = simulated_profile();
    let mut group = c.benchmark_group("Simulation");
    let workload = Workload { counts: |_| (0, 0), ..Workload::basic() };
    let before = LazyCell::new(|| snapshot(&profile, 100_000, &workload));
    group.bench_function("100000", |b| {
        b.iter_custom(|count| {
            let mut simulation = Simulation::new(before.clone());
            let pods: Vec<_> = (0..count).map(|n| tried(&workload, n)).collect();
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

criterion_group! { name = benches; config = config(); targets = workloads, distinct, plugins, queue, simulation }
criterion_main!(benches);
