//! Snapshots of the workloads' clusters.

use serde_json::Value;
use std::sync::Arc;
use windlass_benches::workload::{BEFORE, PLACED, Template, Workload};
use windlass_core::Object;
use windlass_scheduler::framework::Profile;
use windlass_scheduler::{NodeInfo, PodInfo, Snapshot};

pub(crate) const SIZES: [u64; 4] = [500, 5_000, 15_000, 100_000];

/// A workload's nodes, with the pods that are there before, dealt out.
pub(crate) fn snapshot(profile: &Profile, nodes: u64, workload: &Workload) -> Snapshot {
    let mut snapshot = profile.snapshot();
    for number in 0..nodes {
        set_node(&mut snapshot, &workload.node(number));
    }
    let (before, _) = (workload.counts)(nodes);
    for number in 0..before {
        let id = snapshot.id(&format!("node-{}", number % nodes)).expect("just put in");
        snapshot.place(pod(&workload.before, BEFORE, &format!("e{number}")), id);
    }
    snapshot
}

/// The pod that a cycle is about: of an unschedulable workload the one that finds no room.
pub(crate) fn tried(workload: &Workload, number: u64) -> Arc<PodInfo> {
    let template = workload.hopeless.as_ref().unwrap_or(&workload.placed);
    pod(template, PLACED, &format!("p{number}"))
}

pub(crate) fn set_node(snapshot: &mut Snapshot, node: &Value) {
    snapshot.set_node(NodeInfo::new(&object(node.to_string())).expect("a node"));
}

pub(crate) fn pod(template: &Template, namespace: &str, name: &str) -> Arc<PodInfo> {
    Arc::new(PodInfo::new(&object(template.pod(namespace, name))).expect("a pod"))
}

pub(crate) fn object(json: String) -> Object {
    Object::from_wire(json.into()).expect("an object")
}
