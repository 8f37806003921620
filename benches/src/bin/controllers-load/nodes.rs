//! Nodes that run nothing: they renew their Leases, and say of each pod bound to them that it runs.

use crate::scene::Scene;
use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;
use windlass_core::Error;
use windlass_core::cache::{Entry, Informer};
use windlass_core::client::{Client, ClientExt, DeleteOptions, Key, Patch, WriteOptions};
use windlass_core::component::{Component, Ready, Shutdown};
use windlass_core::controller::{Action, Controller, ObjectKey, Reconciler};
use windlass_core::scheme;

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
pub(crate) async fn register(scene: &Scene, nodes: u32, pods: u32) -> windlass_benches::Result<()> {
    let each = |number: u32| async move {
        let (name, now) = (name(number), Timestamp::now());
        let conditions = json!([{"type": "Ready", "status": "True", "reason": "KubeletReady",
            "lastHeartbeatTime": seconds(now), "lastTransitionTime": seconds(now)}]);
        let amounts = json!({"cpu": "64", "memory": "256Gi", "pods": pods.to_string()});
        let node = json!({"apiVersion": "v1", "kind": "Node",
            "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
            "status": {"capacity": amounts, "allocatable": amounts, "conditions": conditions}});
        windlass_benches::add_node(&*scene.client, &node).await?;
        let lease = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {"name": name, "namespace": LEASES},
            "spec": {"holderIdentity": name, "leaseDurationSeconds": 40, "renewTime": now.to_string()}});
        let key = Key::new(scheme::LEASES, LEASES, &name);
        scene.client.create_from(&key, &lease).await?;
        Ok(())
    };
    let nodes = stream::iter(0..nodes).map(each).buffer_unordered(SLOTS);
    nodes.try_for_each(|()| async { Ok(()) }).await
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
    let pods = scene.informers.informer::<PodView>(scheme::PODS);
    let (client, addresses) = (scene.client.clone(), AtomicU32::new(1));
    let agents = Agents { client, pods: pods.clone(), addresses };
    let controller = Controller::new("nodes", agents).workers(SLOTS).after(pods.synced());
    let queue = controller.queue();
    pods.on_change(move |change| {
        let entry = change.entry();
        let (bound, ends) = (!entry.view.spec.node_name.is_empty(), entry.object.header().deleting);
        if bound && (ends || entry.view.status.phase == "Pending") {
            queue.add(ObjectKey::of(&entry.object));
        }
    });
    let shutdown = scene.shutdown.clone();
    tokio::spawn(async move {
        if let Err(error) = Box::new(controller).run(Ready::default(), shutdown).await {
            eprintln!("the nodes stopped: {error}");
        }
    })
}

/// What all nodes do with their pods.
struct Agents {
    client: Arc<dyn Client>,
    pods: Arc<Informer<PodView>>,
    addresses: AtomicU32,
}

#[async_trait]
impl Reconciler for Agents {
    type Request = ObjectKey;
    type Error = Error;

    async fn reconcile(&self, pod: &ObjectKey) -> Result<Action, Error> {
        match self.pods.get(&pod.namespace, &pod.name) {
            Some(pod) => self.act(&pod).await.map(|()| Action::Done),
            None => Ok(Action::Done),
        }
    }
}

impl Agents {
    async fn act(&self, pod: &Entry<PodView>) -> Result<(), Error> {
        let key = Key::new(scheme::PODS, pod.object.namespace(), pod.object.name());
        let done = if pod.object.header().deleting {
            let uid = DeleteOptions::uid(&*pod.object.header().uid);
            let options = DeleteOptions { grace_period_seconds: Some(0), ..uid };
            self.client.delete(&key, &options).await.map(drop)
        } else {
            let number = self.addresses.fetch_add(1, Ordering::Relaxed);
            let status = Patch::merge(&json!({"status": running(number)}));
            let options = WriteOptions::default();
            self.client.patch(&key.subresource("status"), status, &options).await.map(drop)
        };
        // It went, or was changed by another in the meantime: that comes as an event.
        done.or_else(
            |error| if error.is_not_found() || error.is_conflict() { Ok(()) } else { Err(error) },
        )
    }
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
