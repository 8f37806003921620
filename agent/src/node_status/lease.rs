//! The Lease that says that this node is alive (KEP-0009).

use crate::config::Config;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;
use windlass_core::Result;
use windlass_core::client::{Client, ClientExt, Key, Patch, WriteOptions};
use windlass_core::clock::Env;
use windlass_core::component::Shutdown;
use windlass_core::scheme::LEASES;

const NAMESPACE: &str = "kube-node-lease";
/// Others take the node for dead when it was not renewed for so long.
const DURATION_SECONDS: u32 = 40;

/// Renews the Lease until shutdown. `uid` is the Node's.
pub(crate) async fn renew_leases(
    config: Arc<Config>,
    client: Arc<dyn Client>,
    env: Env,
    uid: String,
    shutdown: Shutdown,
) {
    let mut timer = tokio::time::interval(config.lease_period);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        if shutdown.run_until_cancelled(timer.tick()).await.is_none() {
            return;
        }
        let renew = renew(&config, &*client, env.clock.now(), &uid);
        // A connection that hangs must not keep the next try from being made in time.
        let renew = tokio::time::timeout(config.lease_period, renew);
        match shutdown.run_until_cancelled(renew).await {
            Some(Ok(Err(error))) => tracing::warn!(%error, "node lease not renewed, will retry"),
            Some(Err(_)) => tracing::warn!("node lease not renewed in time, will retry"),
            Some(Ok(Ok(()))) => {}
            None => return,
        }
    }
}

async fn renew(config: &Config, client: &dyn Client, now: Timestamp, uid: &str) -> Result<()> {
    let key = Key::new(LEASES, NAMESPACE, &config.node_name);
    let patch = Patch::merge(&json!({"spec": spec(config, now)}));
    match client.patch(&key, patch, &WriteOptions::manager("kubelet")).await {
        Err(error) if error.is_not_found() => {}
        result => return result.map(drop),
    }
    let owner = json!({"apiVersion": "v1", "kind": "Node", "name": config.node_name, "uid": uid});
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": config.node_name, "namespace": NAMESPACE, "ownerReferences": [owner]},
        "spec": spec(config, now),
    });
    client.create_from(&key, &lease).await.map(drop)
}

fn spec(config: &Config, now: Timestamp) -> Value {
    json!({
        "holderIdentity": config.node_name,
        "leaseDurationSeconds": DURATION_SECONDS,
        "renewTime": now.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string(),
    })
}
