//! Plans a node pool: which shape of node, and how many of it, a workload needs, at what cost, and what happens when one of
//! them fails. Nothing runs: the scheduler's own code is asked what would be.
//!
//! `cargo run --package windlass-examples --example plan_node_pool`

use serde_json::{Value, json};
use std::sync::Arc;
use windlass_core::{Object, Result};
use windlass_scheduler::whatif::pods_of;
use windlass_scheduler::{NodeInfo, PodInfo, Simulation, Snapshot};

/// A shape of node that can be bought.
struct Shape {
    name: &'static str,
    cpu: &'static str,
    memory: &'static str,
    /// Cents an hour.
    price: u32,
}

const SHAPES: [Shape; 3] = [
    Shape { name: "small", cpu: "2", memory: "8Gi", price: 9 },
    Shape { name: "medium", cpu: "8", memory: "32Gi", price: 34 },
    Shape { name: "large", cpu: "32", memory: "64Gi", price: 125 },
];

/// More are not bought.
const MOST: u32 = 200;

fn workloads() -> Vec<Value> {
    let deployment = |name: &str, replicas: u32, cpu: &str, memory: &str| {
        let resources = json!({"requests": {"cpu": cpu, "memory": memory}});
        json!({"kind": "Deployment", "metadata": {"name": name, "namespace": "shop"}, "spec": {"replicas": replicas,
            "template": {"metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": name, "resources": resources}]}}}})
    };
    vec![
        deployment("web", 40, "500m", "512Mi"),
        deployment("search", 6, "3", "12Gi"),
        deployment("batch", 12, "1500m", "2Gi"),
    ]
}

fn node(shape: &Shape, n: u32) -> Result<NodeInfo> {
    let name = format!("{}-{n}", shape.name);
    let zone = format!("zone-{}", n % 3);
    let labels = json!({"kubernetes.io/hostname": name, "topology.kubernetes.io/zone": zone});
    let amounts = json!({"cpu": shape.cpu, "memory": shape.memory, "pods": "110"});
    let node =
        json!({"metadata": {"name": name, "labels": labels}, "status": {"allocatable": amounts}});
    NodeInfo::new(&Object::from_wire(node.to_string().into())?)
}

fn pool(shape: &Shape, count: u32) -> Result<Simulation> {
    let mut simulation = Simulation::new(Snapshot::default());
    let nodes = (0..count).map(|n| node(shape, n)).collect::<Result<Vec<_>>>()?;
    simulation.add_nodes(nodes);
    Ok(simulation)
}

/// The fewest nodes of a shape on which all pods have room; fewer never do when some don't.
fn fewest(shape: &Shape, pods: &[Arc<PodInfo>]) -> Result<Option<u32>> {
    let (mut too_few, mut enough) = (0, MOST + 1);
    while enough - too_few > 1 {
        let count = too_few + (enough - too_few) / 2;
        let fits = pool(shape, count)?.place(pods.iter().cloned()).unschedulable.is_empty();
        if fits { enough = count } else { too_few = count }
    }
    Ok((enough <= MOST).then_some(enough))
}

fn main() -> Result<()> {
    let mut pods = Vec::new();
    for workload in workloads() {
        pods.extend(pods_of(&workload)?);
    }
    println!("{} pods", pods.len());
    let mut best: Option<(u32, &Shape, u32)> = None;
    for shape in &SHAPES {
        match fewest(shape, &pods)? {
            Some(count) => {
                let price = count * shape.price;
                println!("{:>4} × {:7} {price:>5} cents an hour", count, shape.name);
                if best.is_none_or(|(lowest, ..)| price < lowest) {
                    best = Some((price, shape, count));
                }
            }
            None => {
                let mut one = pool(shape, 1)?;
                let refused = one.place(pods.iter().cloned()).unschedulable;
                println!("   – × {:7} {}", shape.name, refused[0].1.reasons());
            }
        }
    }
    let (_, shape, count) = best.expect("one shape carries it all");
    let mut simulation = pool(shape, count + 1)?;
    simulation.place(pods.iter().cloned());
    let failed = format!("{}-0", shape.name);
    let moved = simulation.attempt(|simulation| simulation.remove_node(&failed));
    println!(
        "{} × {}, and one to spare: when {failed} fails, {} of its pods find another place, {} don't",
        count + 1,
        shape.name,
        moved.placed.len(),
        moved.unschedulable.len()
    );
    Ok(())
}
