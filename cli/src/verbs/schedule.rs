//! `windlass schedule`

mod priorities;
mod show;

use super::connect::Connect;
use super::manifest::Files;
use crate::component::scheduler::read;
use clap::Args;
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Arc;
use windlass_core::client::remote::RemoteClient;
use windlass_core::component::BoxError;
use windlass_core::meta::intern;
use windlass_scheduler::framework::Profiles;
use windlass_scheduler::whatif::pods_of;
use windlass_scheduler::{NodeInfo, PodInfo, Simulation, Snapshot};

/// Ask the scheduler what would be: nothing in the cluster changes
#[derive(Args)]
#[command(after_help = "Examples:
  windlass schedule --what-if                         where would the pods go that wait
  windlass schedule --what-if -f app.yaml             and the pods of these workloads
  windlass schedule --what-if --drain node-1          and the pods of a node that is emptied
  windlass schedule --what-if --add node-1=10 -f app.yaml    with ten more nodes like node-1
  windlass schedule --what-if --config scheduler.yaml  by the profiles of a configured scheduler
  windlass schedule --what-if --explain web-0         node by node, what each plugin says of a pod")]
pub(super) struct Schedule {
    /// Only say what would be
    #[arg(long, required = true)]
    what_if: bool,
    /// Manifests of pods and workloads to place; `-` is standard input
    #[arg(short, long = "filename")]
    filename: Vec<PathBuf>,
    /// Empty this node
    #[arg(long, value_name = "NODE")]
    drain: Vec<String>,
    /// Add so many nodes like that one
    #[arg(long, value_name = "NODE=COUNT", value_parser = like)]
    add: Vec<(String, u32)>,
    /// Show node by node what each plugin says of this pod, which waits or is in a manifest
    #[arg(long, value_name = "POD")]
    explain: Option<String>,
    /// The KubeSchedulerConfiguration of the cluster's scheduler: its profiles, plugins and their arguments
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    connect: Connect,
}

impl Schedule {
    pub(super) async fn run(self) -> Result<(), BoxError> {
        let connection = self.connect.open().await?;
        let reader = RemoteClient::new(connection.kube);
        let profiles = self.profiles()?;
        let (snapshot, mut pods) = Snapshot::load(&reader, &profiles).await?;
        let priorities = priorities::load(&reader).await?;
        if !self.filename.is_empty() {
            let files = Files { filename: self.filename.clone() };
            for manifest in files.read(&connection.namespace)? {
                let mut object = manifest.object;
                in_namespace(&mut object, manifest.key.namespace.as_deref());
                priorities.fill_in(&mut object);
                pods.extend(pods_of(&object)?);
            }
        }
        let mut simulation = Simulation::with_profile(snapshot, profiles);
        for (node, count) in &self.add {
            let more = more_like(simulation.snapshot(), node, *count)?;
            simulation.add_nodes(more);
        }
        for node in &self.drain {
            if simulation.snapshot().id(node).is_none() {
                return Err(format!("nodes {node:?} not found").into());
            }
            // Its pods have their turn among the others.
            pods.extend(simulation.empty(node));
        }
        if let Some(name) = &self.explain {
            let pod = find(&pods, name)?;
            print!("{}", show::explanation(&simulation.explain(pod)));
            return Ok(());
        }
        print!("{}", show::outcome(&simulation.place(pods)));
        Ok(())
    }

    fn profiles(&self) -> Result<Profiles, BoxError> {
        let registry = crate::devices::registry();
        match &self.config {
            Some(path) => Ok(read(path)?.profiles(&registry, None)?),
            None => Ok(registry.default_profile(None).into()),
        }
    }
}

fn like(text: &str) -> Result<(String, u32), String> {
    let (node, count) = text.split_once('=').ok_or("it is NODE=COUNT")?;
    Ok((node.to_owned(), count.parse().map_err(|_| format!("{count:?} is no number"))?))
}

/// Taints that say how the model does, and nothing of its shape.
const CONDITIONS: [&str; 3] = [
    "node.kubernetes.io/unschedulable",
    "node.kubernetes.io/not-ready",
    "node.kubernetes.io/unreachable",
];

/// Nodes of the shape of one that is there, empty, ready and not cordoned.
fn more_like(snapshot: &Snapshot, node: &str, count: u32) -> Result<Vec<NodeInfo>, BoxError> {
    let id = snapshot.id(node).ok_or_else(|| format!("nodes {node:?} not found"))?;
    let model = snapshot.node(id);
    let named = |n: u32| {
        let mut more = NodeInfo { unschedulable: false, ..(**model).clone() };
        more.name = intern(&format!("{node}-new-{n}"));
        more.taints.retain(|taint| !CONDITIONS.contains(&&*taint.key));
        for (key, value) in &mut more.labels {
            if &**key == "kubernetes.io/hostname" {
                *value = more.name.clone();
            }
        }
        more
    };
    let more: Vec<_> = (1..=count).map(named).collect();
    match more.iter().find(|more| snapshot.id(&more.name).is_some()) {
        Some(taken) => Err(format!("a node {:?} is there already", taken.name).into()),
        None => Ok(more),
    }
}

fn in_namespace(object: &mut Value, namespace: Option<&str>) {
    if let (Some(namespace), Some(metadata)) = (namespace, object["metadata"].as_object_mut()) {
        metadata.entry("namespace").or_insert_with(|| namespace.into());
    }
}

/// By name, or by namespace and name.
fn find<'a>(pods: &'a [Arc<PodInfo>], name: &str) -> Result<&'a PodInfo, BoxError> {
    let named = |pod: &&Arc<PodInfo>| {
        *pod.name == *name || format!("{}/{}", pod.namespace, pod.name) == name
    };
    let found = pods.iter().find(named);
    Ok(found.ok_or_else(|| format!("no pod {name:?} waits or is in a manifest"))?)
}
