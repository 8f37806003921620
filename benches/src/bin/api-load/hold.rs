//! A big cluster at rest: how much memory it takes.

use crate::target::quiet;
use bytes::Bytes;
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use windlass::standalone::{Cluster, Options as ClusterOptions};
use windlass_benches::{Process, Result, pod};
use windlass_core::client::{Key, ListOptions, Scope, WriteOptions};
use windlass_core::object::canonical;
use windlass_core::scheme::{self, GroupVersionResource};
use windlass_store::{Backend, Durability, Embedded, EmbeddedOptions, Txn};

/// Objects of one transaction.
const TXN: u64 = 128;
/// The owner of all pods: as they say themselves.
const OWNER: (&str, &str) = ("web-5d4f8c7b9", "11111111-1111-4111-8111-111111111111");
/// Memory is looked at so often, …
const LOOK: Duration = Duration::from_secs(1);
/// … until it grew no more for so many times.
const STILL: u32 = 5;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// The directory of the durable store
    dir: PathBuf,
    /// Only fills the store, which is empty: what that takes of memory is not to be counted
    #[arg(long)]
    fill: bool,
    /// Running pods
    #[arg(long, default_value_t = 150_000)]
    pods: u64,
    /// Nodes they run on
    #[arg(long, default_value_t = 5000)]
    nodes: u64,
    /// At most so long after the start, in seconds
    #[arg(long, default_value_t = 40)]
    seconds: u64,
}

pub(crate) async fn run(options: Options) -> Result<()> {
    let process = Process::this();
    let open = || -> Result<Arc<dyn Backend>> {
        let durability = Durability::Buffered;
        Ok(Arc::new(Embedded::open(EmbeddedOptions {
            durability,
            ..EmbeddedOptions::new(&options.dir)
        })?))
    };
    if options.fill {
        let bytes = fill(&open()?, &options).await?;
        println!("filled {} mb_of_bytes {:.0}", options.pods, bytes as f64 / 1e6);
        return Ok(());
    }
    let (start, store) = (Instant::now(), Some(open()?));
    let cluster = Cluster::start(ClusterOptions { store, ..ClusterOptions::in_memory() }).await?;
    let ready = start.elapsed();
    let (resident, there) = settled(&cluster, &process, &options).await?;
    println!(
        "pods {there} start_s {:.1} rss_mb {:.0} peak_mb {:.0}",
        ready.as_secs_f64(),
        resident as f64 / 1e6,
        process.peak()? as f64 / 1e6,
    );
    cluster.stop().await;
    Ok(())
}

/// Memory once it grows no more, and how many pods there are then.
async fn settled(cluster: &Cluster, process: &Process, options: &Options) -> Result<(u64, usize)> {
    let (mut last, mut still) = (0, 0);
    for _ in 0..options.seconds {
        tokio::time::sleep(LOOK).await;
        let now = process.resident()?;
        still = if now > last + (1 << 20) { 0 } else { still + 1 };
        last = now;
        if still == STILL {
            break;
        }
    }
    let any = ListOptions { resource_version: "0".into(), ..ListOptions::default() };
    let pods = cluster.client().list(&Scope::all(scheme::PODS), &any).await?;
    Ok((last, pods.items.len()))
}

/// Writes nodes, the owner and its pods as a server would have; the bytes of the pods.
async fn fill(store: &Arc<dyn Backend>, options: &Options) -> Result<u64> {
    let cluster = Cluster::start(ClusterOptions { store: Some(store.clone()), ..quiet() }).await?;
    let (nodes, client) = (options.nodes, cluster.client());
    let write = WriteOptions::default();
    for number in 0..nodes {
        let name = format!("node-{number}");
        client.create(&Key::cluster(scheme::NODES, &name), node(&name), &write).await?;
    }
    let keys = |resource: &GroupVersionResource, name: &str| -> Result<Bytes> {
        let entry = cluster.server().objects().resources().get(resource).ok_or("not served")?;
        Ok(entry.place.key(Some("default"), name))
    };
    let owner = replica_set(options.pods);
    store.commit(Txn::new().put(keys(&scheme::REPLICASETS, OWNER.0)?, owner)).await?;
    let mut bytes = 0;
    for first in (0..options.pods).step_by(TXN as usize) {
        let mut txn = Txn::new();
        for number in first..options.pods.min(first + TXN) {
            let name = number.to_string();
            let pod = canonical(serde_json::from_slice(&pod(
                &name,
                &format!("node-{}", number % nodes),
            ))?);
            bytes += pod.len() as u64;
            txn = txn.put(keys(&scheme::PODS, &name)?, pod);
        }
        store.commit(txn).await?;
    }
    cluster.stop().await;
    Ok(bytes)
}

fn node(name: &str) -> Bytes {
    json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}).to_string().into()
}

fn replica_set(pods: u64) -> Bytes {
    let labels = json!({"app": "web", "pod-template-hash": "5d4f8c7b9"});
    let set = json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {"name": OWNER.0, "namespace": "default", "uid": OWNER.1, "generation": 1,
            "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"replicas": pods, "selector": {"matchLabels": labels}, "template": {
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": "web", "image": "registry.example/team/web:1.2.3"}]}}},
        "status": {"replicas": pods, "readyReplicas": pods, "availableReplicas": pods, "observedGeneration": 1},
    });
    match set {
        serde_json::Value::Object(set) => canonical(set),
        _ => Bytes::new(),
    }
}
