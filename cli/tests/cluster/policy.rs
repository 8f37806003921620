//! A NetworkPolicy keeps real pods apart, and the node's own probes in.

use crate::support::{Result, Scene};
use kube::api::{Api, PostParams};
use serde_json::json;
use std::time::Duration;
use windlass_core::apis::core::v1::Pod;
use windlass_core::apis::networking::v1::NetworkPolicy;

const DEADLINE: Duration = Duration::from_secs(10);

#[test]
fn a_policy_keeps_pods_apart() -> Result<()> {
    Scene::play("policy", async |scene| {
        if !scene.has_node() {
            println!("SKIP a_policy_keeps_pods_apart: a node needs root");
            return Ok(());
        }
        let cluster = scene.start()?;
        let client = scene.client().await?;
        scene.run_shell(&client, "server", "exec httpd -f -p 8080").await?;
        scene.wait_ready(&client, "server").await?;
        let server = Api::<Pod>::namespaced(client.clone(), "default").get("server").await?;
        let ip = server.status.and_then(|status| status.pod_ip).ok_or("no address")?;
        // httpd comes a moment after its container.
        let get = format!("nc -w 2 {ip} 8080 </dev/null");
        scene.run_shell(&client, "before", &format!("until {get}; do :; done")).await?;
        scene.wait_succeeded(&client, "before").await?;
        let policy: NetworkPolicy = serde_json::from_value(json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": "deny"}, "spec": {"podSelector": {}}}))?;
        let policies = Api::<NetworkPolicy>::namespaced(client.clone(), "default");
        policies.create(&PostParams::default(), &policy).await?;
        scene.run_shell(&client, "after", &format!("while {get}; do :; done")).await?;
        scene.wait_succeeded(&client, "after").await?;
        let connected = tokio::net::TcpStream::connect((ip.as_str(), 8080));
        tokio::time::timeout(DEADLINE, connected).await.map_err(|_| "the node is kept out")??;
        let dump = scene.windlass(&["proxy", "dump"])?;
        assert!(dump.contains(&format!("pod default/server ({ip})")), "{dump}");
        assert!(dump.contains("to it passes only what NetworkPolicies allow: deny"), "{dump}");
        let dump = scene.windlass(&["proxy", "dump", "default/kubernetes"])?;
        assert!(dump.contains("in step") && dump.contains("leads to 1 endpoint"), "{dump}");
        for pod in ["server", "before", "after"] {
            scene.delete_pod(&client, pod).await?;
        }
        cluster.stop()
    })
}
