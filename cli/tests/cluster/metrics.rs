//! `kubectl top`, and an autoscaler that goes by what pods use.

use crate::support::{Result, Scene};
use kube::api::{Api, PostParams};
use kube::runtime::wait::await_condition;
use serde_json::json;
use std::process::Command;
use std::time::Duration;
use windlass_core::apis::apps::v1::Deployment;
use windlass_core::apis::autoscaling::v2::HorizontalPodAutoscaler;

/// The autoscaler looks every 15 seconds, and only at pods that are ready for a while.
const DEADLINE: Duration = Duration::from_secs(120);

#[test]
fn what_pods_use_is_shown_and_scales_them() -> Result<()> {
    Scene::play("metrics", async |scene| {
        if !scene.has_node() || Command::new("kubectl").arg("version").output().is_err() {
            println!("SKIP what_pods_use_is_shown_and_scales_them: it needs root and kubectl");
            return Ok(());
        }
        let cluster = scene.start()?;
        let client = scene.client().await?;
        let kubectl = |args: &[&str]| -> Result<String> {
            let file = scene.data_dir().join("admin.kubeconfig");
            let done = Command::new("kubectl").arg("--kubeconfig").arg(file).args(args).output()?;
            let said = String::from_utf8_lossy(&done.stderr).into_owned();
            if done.status.success() {
                Ok(String::from_utf8(done.stdout)?)
            } else {
                Err(said.into())
            }
        };
        scene.run_shell(&client, "busy", "while :; do :; done").await?;
        scene.wait_ready(&client, "busy").await?;
        let nodes = kubectl(&["top", "nodes", "--no-headers"])?;
        assert!(nodes.split_whitespace().count() == 5 && nodes.contains('%'), "{nodes}");
        for args in [
            &["top", "pods", "--no-headers"][..],
            &["top", "pod", "busy", "--containers", "--no-headers"],
        ] {
            let line = kubectl(args)?;
            let [.., cpu, memory] = line.split_whitespace().collect::<Vec<_>>()[..] else {
                return Err(line.into());
            };
            let cpu: u32 = cpu.strip_suffix('m').ok_or(line.clone())?.parse()?;
            assert!(cpu > 50 && memory.ends_with("Mi"), "{line}");
        }
        let table = kubectl(&["get", "podmetrics"])?;
        assert!(table.starts_with("NAME   CPU") && table.contains("\nbusy "), "{table}");
        let empty = kubectl(&["top", "pods", "-l", "app=none"])?;
        assert!(empty.is_empty(), "{empty}");
        let api = kubectl(&["get", "apiservice", "v1beta1.metrics.k8s.io"])?;
        assert!(api.contains("Local") && api.contains("True"), "{api}");
        scene.delete_pod(&client, "busy").await?;
        scales(&client).await?;
        kubectl(&["delete", "deployment,hpa", "web", "--wait=true"])?;
        kubectl(&["wait", "--for=delete", "pod", "-l", "app=web", "--timeout=60s"])?;
        cluster.stop()
    })
}

/// A busy pod wants to be two.
async fn scales(client: &kube::Client) -> Result<()> {
    let container = json!({
        "name": "c", "image": "docker.io/library/busybox:windlass", "imagePullPolicy": "Never",
        "command": ["sh", "-c", "while :; do :; done"], "resources": {"requests": {"cpu": "20m"}, "limits": {"cpu": "200m"}}});
    let labels = json!({"app": "web"});
    let web: Deployment = serde_json::from_value(json!({
        "metadata": {"name": "web"},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": {
            "metadata": {"labels": labels},
            "spec": {"terminationGracePeriodSeconds": 1, "containers": [container]}}}}))?;
    let deployments = Api::<Deployment>::namespaced(client.clone(), "default");
    deployments.create(&PostParams::default(), &web).await?;
    let target = json!({"type": "Utilization", "averageUtilization": 50});
    let autoscaler: HorizontalPodAutoscaler = serde_json::from_value(json!({
        "metadata": {"name": "web"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "minReplicas": 1, "maxReplicas": 2,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]}}))?;
    let autoscalers = Api::<HorizontalPodAutoscaler>::namespaced(client.clone(), "default");
    autoscalers.create(&PostParams::default(), &autoscaler).await?;
    let two = |web: Option<&Deployment>| {
        let status = web.and_then(|web| web.status.as_ref());
        status.is_some_and(|status| status.ready_replicas == Some(2))
    };
    let grown = await_condition(deployments, "web", two);
    tokio::time::timeout(DEADLINE, grown).await.map_err(|_| "it does not grow")??;
    Ok(())
}
