//! A scheduler plugin of one's own: nodes draw power, and a pod goes where a rack can still feed it.
//!
//! `cargo run --package windlass-examples --example custom_scheduler_plugin`
//!
//! One file: a plugin, the columns it keeps up to date by events, a profile with it, and a what-if with that profile.
//! With `Scheduler::builder(…).profile(profile)` the same profile schedules a cluster.

use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use windlass_core::{Object, Result};
use windlass_scheduler::framework::{
    Columns, Cycle, Extensions, Feasible, Filter, Plugin, Profile, Reach, Score,
};
use windlass_scheduler::plugins::NodeResourcesFit;
use windlass_scheduler::{NodeId, NodeInfo, PodClass, PodInfo, Simulation, Snapshot};

const RACK: &str = "example.com/rack";
const WATTS: &str = "example.com/watts";

/// Refuses nodes of racks without enough power left; prefers racks with more.
struct RackPower {
    watts_of_a_rack: i64,
}

/// What each rack's pods draw. Kept up to date by the snapshot: a cycle counts nothing.
#[derive(Clone, Default)]
struct Drawn {
    by_rack: BTreeMap<String, i64>,
}

// === impl RackPower ===

impl Plugin for RackPower {
    fn name(&self) -> &'static str {
        "RackPower"
    }

    fn extensions(self: Arc<Self>) -> Extensions {
        Extensions {
            filter: Some(self.clone()),
            score: Some(self),
            columns: vec![|| Box::<Drawn>::default()],
            ..Extensions::default()
        }
    }

    /// It looks at other nodes of the rack, and at the pods there.
    fn reach(&self, pod: &PodClass, _: &Snapshot) -> Reach {
        if watts(pod) == 0 { Reach::Nothing } else { Reach::Cluster }
    }
}

impl Filter for RackPower {
    fn filter(&self, cycle: &Cycle<'_>, feasible: &mut Feasible) {
        let wanted = watts(cycle.pod);
        feasible.retain("node(s) were in a rack without enough power", |node| {
            self.left(cycle.snapshot, node) >= wanted
        });
    }
}

impl Score for RackPower {
    fn score(&self, cycle: &Cycle<'_>, nodes: &[NodeId], scores: &mut [i64]) {
        for (score, node) in scores.iter_mut().zip(nodes) {
            *score = self.left(cycle.snapshot, *node) * 100 / self.watts_of_a_rack;
        }
    }
}

impl RackPower {
    fn left(&self, snapshot: &Snapshot, node: NodeId) -> i64 {
        let drawn =
            snapshot.columns::<Drawn>().and_then(|drawn| drawn.by_rack.get(&rack(snapshot, node)));
        self.watts_of_a_rack - drawn.copied().unwrap_or(0)
    }
}

// === impl Drawn ===

impl Columns for Drawn {
    fn fork(&self) -> Box<dyn Columns> {
        Box::new(self.clone())
    }

    fn pod_added(&mut self, snapshot: &Snapshot, node: NodeId, pod: &Arc<PodInfo>) {
        *self.by_rack.entry(rack(snapshot, node)).or_default() += watts(pod);
    }

    fn pod_removed(&mut self, snapshot: &Snapshot, node: NodeId, pod: &Arc<PodInfo>) {
        *self.by_rack.entry(rack(snapshot, node)).or_default() -= watts(pod);
    }
}

fn rack(snapshot: &Snapshot, node: NodeId) -> String {
    snapshot.topology(RACK).map_or_else(String::new, |racks| match racks.of(node) {
        windlass_scheduler::Topology::NONE => String::new(),
        domain => racks.name(domain).to_string(),
    })
}

/// What a pod draws: its label says it.
fn watts(pod: &PodClass) -> i64 {
    let label = pod.labels.iter().find(|(key, _)| &**key == WATTS);
    label.and_then(|(_, watts)| watts.parse().ok()).unwrap_or(0)
}

fn main() -> Result<()> {
    let profile = Profile::builder("power-aware")
        .plugin(NodeResourcesFit::default(), 1)
        .plugin(RackPower { watts_of_a_rack: 1000 }, 5)
        .build();
    let mut snapshot = profile.snapshot();
    for (name, rack) in [("a1", "a"), ("a2", "a"), ("b1", "b")] {
        let node = json!({"metadata": {"name": name, "labels": {RACK: rack}},
            "status": {"allocatable": {"cpu": "16", "memory": "64Gi", "pods": "110"}}});
        snapshot.set_node(NodeInfo::new(&Object::from_wire(node.to_string().into())?)?);
    }
    let pods = (0..6).map(|n| {
        let pod = json!({"metadata": {"name": format!("p{n}"), "namespace": "default",
            "uid": n.to_string(), "labels": {WATTS: "400"}}, "spec": {"containers": [{"name": "c"}]}});
        Ok(Arc::new(PodInfo::new(&Object::from_wire(pod.to_string().into())?)?))
    });
    let mut simulation = Simulation::with_profile(snapshot, Arc::new(profile));
    let outcome = simulation.place(pods.collect::<Result<Vec<_>>>()?);
    for placed in &outcome.placed {
        println!("{} on {}", placed.pod.name, placed.node);
    }
    for (pod, why) in &outcome.unschedulable {
        println!("{} nowhere: {}", pod.name, why.message);
    }
    assert_eq!((outcome.placed.len(), outcome.unschedulable.len()), (4, 2), "two a rack");
    Ok(())
}
