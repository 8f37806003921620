//! Nodes that run nothing: they renew their Leases, and say of each pod bound to them that it runs.

use crate::scene::Scene;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;
use windlass_benches::Result;
use windlass_core::client::{
    Client, DeleteOptions, Key, ListOptions, Patch, Scope, WatchEvent, WriteOptions,
};
use windlass_core::component::Shutdown;
use windlass_core::scheme;
use windlass_core::{Error, Object};

/// So many requests of all nodes travel at once.
const SLOTS: usize = 64;
/// Each node renews its Lease so often (the kubelet's own period).
const RENEW: Duration = Duration::from_secs(10);
/// A node's heartbeats are spread over the period in steps of this length.
const STEP: Duration = Duration::from_millis(100);
const LEASES: &str = "kube-node-lease";

#[derive(Deserialize)]
struct PodView {
    #[serde(default)]
    spec: PodSpec,
    #[serde(default)]
    status: PodStatus,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PodSpec {
    node_name: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PodStatus {
    phase: String,
}

/// Registers nodes, each with room for so many pods.
pub(crate) async fn register(scene: &Scene, nodes: u32, pods: u32) -> Result<()> {
    let each = |number: u32| async move {
        let (name, now) = (name(number), Timestamp::now());
        let conditions = json!([{"type": "Ready", "status": "True", "reason": "KubeletReady",
            "lastHeartbeatTime": seconds(now), "lastTransitionTime": seconds(now)}]);
        let amounts = json!({"cpu": "64", "memory": "256Gi", "pods": pods.to_string()});
        let node = json!({"apiVersion": "v1", "kind": "Node",
            "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
            "status": {"capacity": amounts, "allocatable": amounts, "conditions": conditions}});
        let options = WriteOptions::default();
        let key = Key::cluster(scheme::NODES, &name);
        scene.client.create(&key, node.to_string().into(), &options).await?;
        let status = Patch::merge(&json!({"status": node["status"]}));
        scene.client.patch(&key.subresource("status"), status, &options).await?;
        let lease = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {"name": name, "namespace": LEASES},
            "spec": {"holderIdentity": name, "leaseDurationSeconds": 40, "renewTime": now.to_string()}});
        let key = Key::new(scheme::LEASES, LEASES, &name);
        scene.client.create(&key, lease.to_string().into(), &options).await?;
        Ok::<_, Error>(())
    };
    let nodes = stream::iter(0..nodes).map(each).buffer_unordered(SLOTS);
    Ok(nodes.try_for_each(|()| async { Ok(()) }).await?)
}

/// Renews the Leases of all nodes, spread over the period, until shutdown.
pub(crate) fn beat(scene: &Scene, nodes: u32, shutdown: Shutdown) -> JoinHandle<()> {
    let client = scene.client.clone();
    let steps = u32::try_from(RENEW.as_millis() / STEP.as_millis()).unwrap_or(1);
    tokio::spawn(async move {
        let beating = async {
            let mut timer = tokio::time::interval(STEP);
            for step in (0..steps).cycle() {
                timer.tick().await;
                let due = (step..nodes).step_by(steps as usize);
                stream::iter(due).for_each(|number| renew(&*client, number)).await;
            }
        };
        shutdown.run_until_cancelled(beating).await;
    })
}

async fn renew(client: &dyn Client, number: u32) {
    let patch = Patch::merge(&json!({"spec": {"renewTime": Timestamp::now().to_string()}}));
    let key = Key::new(scheme::LEASES, LEASES, name(number));
    if let Err(error) = client.patch(&key, patch, &WriteOptions::default()).await {
        eprintln!("{key}: {error}");
    }
}

/// Says of every pod that is bound that it runs, and lets go of those that shall end, until shutdown.
pub(crate) fn run_pods(scene: &Scene) -> JoinHandle<()> {
    let (client, shutdown) = (scene.client.clone(), scene.shutdown.clone());
    tokio::spawn(async move {
        if let Some(Err(error)) = shutdown.run_until_cancelled(follow(client)).await {
            eprintln!("the nodes stopped: {error}");
        }
    })
}

async fn follow(client: Arc<dyn Client>) -> Result<()> {
    let addresses = AtomicU32::new(1);
    let events = client.watch(&Scope::all(scheme::PODS), &ListOptions::default()).await?;
    let pods = events.map_ok(|batch| stream::iter(batch).map(Ok)).try_flatten();
    let (client, addresses) = (&*client, &addresses);
    let acted = pods.try_for_each_concurrent(SLOTS, |event| async move {
        let (WatchEvent::Added(pod) | WatchEvent::Modified(pod)) = event else { return Ok(()) };
        match act(client, &pod, addresses).await {
            // It went, or was changed by another in the meantime: that comes as an event.
            Err(error) if error.is_not_found() || error.is_conflict() => Ok(()),
            other => other,
        }
    });
    Ok(acted.await?)
}

async fn act(
    client: &dyn Client,
    pod: &Object,
    addresses: &AtomicU32,
) -> windlass_core::Result<()> {
    let view: PodView = pod.view()?;
    if view.spec.node_name.is_empty() {
        return Ok(());
    }
    let key = Key::new(scheme::PODS, pod.namespace(), pod.name());
    if pod.header().deleting {
        let options = DeleteOptions {
            grace_period_seconds: Some(0),
            ..DeleteOptions::uid(&*pod.header().uid)
        };
        client.delete(&key, &options).await?;
    } else if view.status.phase == "Pending" {
        let number = addresses.fetch_add(1, Ordering::Relaxed);
        let status = Patch::merge(&json!({"status": running(number)}));
        client.patch(&key.subresource("status"), status, &WriteOptions::default()).await?;
    }
    Ok(())
}

fn running(number: u32) -> serde_json::Value {
    let [_, a, b, c] = number.to_be_bytes();
    let (ip, now) = (format!("10.{a}.{b}.{c}"), seconds(Timestamp::now()));
    let condition = |kind: &str| json!({"type": kind, "status": "True", "lastTransitionTime": now});
    let conditions = ["PodScheduled", "Initialized", "ContainersReady", "Ready"].map(condition);
    json!({"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}], "startTime": now,
        "conditions": conditions,
        "containerStatuses": [{"name": "web", "image": "web:1", "imageID": "web:1", "ready": true,
            "restartCount": 0, "started": true, "state": {"running": {"startedAt": now}}}]})
}

fn seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn name(number: u32) -> String {
    format!("node-{number}")
}
