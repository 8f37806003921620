//! Deployments of equal pods, no two of them alike, placed on empty nodes by what-if.

use serde_json::{Value, json};
use std::time::{Duration, Instant};
use windlass_benches::workload::node;
use windlass_benches::{Process, Result};
use windlass_core::Object;
use windlass_scheduler::whatif::pods_of;
use windlass_scheduler::{NodeInfo, Simulation, Snapshot};

/// Pods of a Deployment.
const REPLICAS: u64 = 1_000;
/// How far it is is told after so many Deployments.
const TELL: u64 = 100;
const ZONES: [&str; 3] = ["zone1", "zone2", "zone3"];

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Nodes of 32 cores
    #[arg(default_value_t = 100_000)]
    nodes: u64,
    /// Pods
    #[arg(default_value_t = 1_000_000)]
    pods: u64,
    /// Ends after so long, whatever is placed by then
    #[arg(long, default_value_t = 600)]
    seconds: u64,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let process = Process::this();
    let mut simulation = Simulation::new(Snapshot::default());
    for number in 0..options.nodes {
        simulation.add_nodes([node_info(number)?]);
    }
    println!("nodes {} rss_mb {:.0}", options.nodes, process.resident()? as f64 / 1e6);
    let (cpu, start, most) = (process.cpu()?, Instant::now(), Duration::from_secs(options.seconds));
    let (mut placed, mut refused, mut placing) = (0, 0, Duration::ZERO);
    for number in 0..options.pods.div_ceil(REPLICAS) {
        if start.elapsed() > most {
            break;
        }
        let replicas = REPLICAS.min(options.pods - number * REPLICAS);
        let pods = pods_of(&deployment(number, replicas))?;
        let began = Instant::now();
        let outcome = simulation.place(pods);
        placing += began.elapsed();
        placed += outcome.placed.len();
        refused += outcome.unschedulable.len();
        if (number + 1).is_multiple_of(TELL) {
            eprintln!("{placed} placed in {:.0} s", start.elapsed().as_secs_f64());
        }
    }
    println!(
        "pods {placed} refused {refused} s {:.1} placing_s {:.1} cpu_s {:.1} cpu_us {:.1} rss_mb {:.0} peak_mb {:.0}",
        start.elapsed().as_secs_f64(),
        placing.as_secs_f64(),
        (process.cpu()? - cpu).as_secs_f64(),
        (process.cpu()? - cpu).as_secs_f64() * 1e6 / placed.max(1) as f64,
        process.resident()? as f64 / 1e6,
        process.peak()? as f64 / 1e6,
    );
    Ok(())
}

fn node_info(number: u64) -> Result<NodeInfo> {
    let room = json!({"cpu": "32", "memory": "128Gi", "pods": "110"});
    let node = node(number, ZONES[number as usize % ZONES.len()], &room);
    Ok(NodeInfo::new(&Object::from_wire(node.to_string().into())?)?)
}

/// No two of them are alike.
fn deployment(number: u64, replicas: u64) -> Value {
    let (app, cpu) = (format!("app-{number}"), format!("{}m", 100 + number % 900));
    let requests = json!({"cpu": cpu, "memory": format!("{}Mi", 100 + number % 1_900)});
    json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": app, "namespace": "default"},
        "spec": {"replicas": replicas, "template": {"metadata": {"labels": {"app": app}},
            "spec": {"containers": [{"name": "web", "image": "web", "resources": {"requests": requests}}]}}}})
}
