//! One scheduling cycle over many nodes, all default filters and scores.

#![allow(missing_docs, reason = "criterion's macros make public functions")]

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use serde_json::json;
use windlass_core::Object;
use windlass_core::clock::Seeded;
use windlass_scheduler::framework::{Cycle, Profile};
use windlass_scheduler::plugins::{
    BalancedAllocation, NodeAffinity, NodeName, NodePorts, NodeResourcesFit, NodeUnschedulable,
    TaintToleration,
};
use windlass_scheduler::{NodeInfo, PodInfo, Snapshot};

fn profile() -> Profile {
    Profile::builder("default-scheduler")
        .plugin(NodeUnschedulable, 0)
        .plugin(NodeName, 0)
        .plugin(TaintToleration, 3)
        .plugin(NodeAffinity::default(), 2)
        .plugin(NodePorts, 0)
        .plugin(NodeResourcesFit::default(), 1)
        .plugin(BalancedAllocation::default(), 1)
        .build()
}

fn snapshot(nodes: usize) -> Snapshot {
    let mut snapshot = Snapshot::default();
    for n in 0..nodes {
        let name = format!("node-{n}");
        let labels = json!({"kubernetes.io/hostname": name, "topology.kubernetes.io/zone": format!("zone-{}", n % 3)});
        let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels},
            "status": {"allocatable": {"cpu": "4", "memory": "32Gi", "pods": "110"}}});
        let object = Object::from_wire(node.to_string().into()).expect("an object");
        snapshot.set_node(&NodeInfo::new(&object).expect("a node"));
    }
    snapshot
}

fn cycle(c: &mut Criterion) {
    let (profile, random) = (profile(), Seeded::new(1));
    let pod = Object::from_wire(windlass_benches::pod("1", "")).expect("an object");
    let pod = PodInfo::new(&pod).expect("a pod");
    let mut group = c.benchmark_group("SchedulingBasic cycle");
    for nodes in [500, 5000] {
        let snapshot = snapshot(nodes);
        group.bench_with_input(BenchmarkId::from_parameter(nodes), &nodes, |b, _| {
            b.iter(|| Cycle::new(&pod, &snapshot).place(&profile, &random).expect("room"));
        });
    }
    group.finish();
}

criterion_group!(benches, cycle);
criterion_main!(benches);
