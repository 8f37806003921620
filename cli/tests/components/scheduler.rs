//! `windlass-scheduler` with no more than Kubernetes' rights of a scheduler, and the verb that asks what it would do.

use crate::scene::{HASTE, Running, Scene, output};
use serde_json::{Value, json};
use std::process::Command;
use windlass_core::client::{ClientExt, Key, Patch, WriteOptions};
use windlass_core::component::BoxError;
use windlass_core::scheme;

const WINDLASS: &str = env!("CARGO_BIN_EXE_windlass");
/// The Lease of schedulers.
const NAME: &str = "kube-scheduler";
/// Beside the usual profile one that fills nodes up.
const CONFIG: &str = "
apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
profiles:
- schedulerName: default-scheduler
- schedulerName: filling
  pluginConfig:
  - name: NodeResourcesFit
    args: {scoringStrategy: {type: MostAllocated}}
";

impl Scene {
    /// A scheduler that is the user `system:kube-scheduler`, by a certificate.
    async fn scheduler(&self) -> Result<Running, BoxError> {
        let (kubeconfig, config) = (self.file("scheduler.kubeconfig"), self.file("scheduler.yaml"));
        let mut make = Command::new(WINDLASS);
        make.args(["kubeconfig", "--user", "system:kube-scheduler", "--data-dir"]);
        make.arg(self.file("")).arg("-o").arg(&kubeconfig);
        output(make).await?;
        std::fs::write(&config, CONFIG)?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_windlass-scheduler"));
        command.arg("--kubeconfig").arg(kubeconfig).arg("--config").arg(config).args(HASTE);
        Running::start(&mut command)
    }

    /// Two nodes of four cores, and the account of the pods' namespace.
    async fn furnish(&self) -> Result<(), BoxError> {
        let client = self.client();
        for name in ["a", "b"] {
            let key = Key::cluster(scheme::NODES, name);
            client.create_from(&key, &json!({"metadata": {"name": name}})).await?;
            // No controller says that it is ready.
            let ready = Patch::merge(&json!({"spec": {"taints": null}}));
            client.patch(&key, ready, &WriteOptions::default()).await?;
            let room = json!({"cpu": "4", "memory": "8Gi", "pods": "110"});
            let status = Patch::merge(&json!({"status": {"allocatable": room, "capacity": room}}));
            client.patch(&key.subresource("status"), status, &WriteOptions::default()).await?;
        }
        let account = json!({"metadata": {"name": "default"}});
        client.create_from(&Key::new(scheme::SERVICEACCOUNTS, "default", ""), &account).await?;
        Ok(())
    }

    async fn pod(&self, name: &str, scheduler: &str, cpu: &str) -> Result<(), BoxError> {
        let pod = json!({"metadata": {"name": name}, "spec": {"schedulerName": scheduler,
            "containers": [{"name": "c", "image": "i", "resources": {"requests": {"cpu": cpu}}}]}});
        self.client().create_from(&Key::new(scheme::PODS, "default", ""), &pod).await?;
        Ok(())
    }

    async fn bound(&self, name: &str) -> Result<String, BoxError> {
        let node = |pods: &[Value]| {
            let pod = pods.iter().find(|pod| pod["metadata"]["name"] == name)?;
            pod["spec"]["nodeName"].as_str().map(str::to_owned)
        };
        self.until(&format!("a node for {name}"), scheme::PODS, node).await
    }

    /// What `windlass schedule --what-if` says with these arguments.
    async fn what_if(&self, args: &[&str]) -> Result<String, BoxError> {
        let mut command = Command::new(WINDLASS);
        command.args(["schedule", "--what-if"]).args(args);
        command.arg("--kubeconfig").arg(self.kubeconfig()?);
        command.arg("--config").arg(self.file("scheduler.yaml"));
        output(command).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_are_bound_by_one_who_has_a_kubeconfig_and_a_configuration() -> Result<(), BoxError> {
    let scene = Scene::open().await?;
    scene.furnish().await?;
    let first = scene.scheduler().await?;
    let leader = scene.leader(NAME, "").await?;
    let mut nodes = Vec::new();
    for name in ["p", "q", "r"] {
        scene.pod(name, "filling", "1").await?;
        nodes.push(scene.bound(name).await?);
    }
    assert!(nodes.iter().all(|node| *node == nodes[0]), "one node is filled first: {nodes:?}");
    scene.pod("s", "default-scheduler", "1").await?;
    assert_ne!(scene.bound("s").await?, nodes[0], "the other profile spreads");
    let told = |events: &[Value]| {
        let of = |event: &&Value| event["reason"] == "Scheduled";
        (events.iter().filter(of).count() == 4).then_some(())
    };
    scene.until("an event for each pod", scheme::EVENTS, told).await?;

    // Another one stands by, and takes over.
    let second = scene.scheduler().await?;
    drop(first);
    scene.leader(NAME, &leader).await?;
    scene.pod("t", "filling", "1").await?;
    assert_eq!(scene.bound("t").await?, nodes[0]);
    drop(second);
    scene.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_be_is_asked_and_nothing_changes() -> Result<(), BoxError> {
    let scene = Scene::open().await?;
    scene.furnish().await?;
    let scheduler = scene.scheduler().await?;
    scene.pod("small", "filling", "1").await?;
    let full = scene.bound("small").await?;
    scene.pod("big", "filling", "5").await?;
    let refused = |pods: &[Value]| {
        let pod = pods.iter().find(|pod| pod["metadata"]["name"] == "big")?;
        let message = pod["status"]["conditions"][0]["message"].as_str()?;
        message.starts_with("0/2 nodes are available: 2 Insufficient cpu.").then_some(())
    };
    scene.until("why there is no node for it", scheme::PODS, refused).await?;
    drop(scheduler);

    let said = scene.what_if(&["--explain", "big"]).await?;
    assert_eq!(said.matches("NodeResourcesFit: Insufficient cpu").count(), 2, "{said}");
    let web = scene.file("web.yaml");
    let template = json!({"metadata": {"labels": {"app": "web"}}, "spec": {
        "containers": [{"name": "c", "image": "i", "resources": {"requests": {"cpu": "2"}}}]}});
    let set = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {"replicas": 4, "selector": {"matchLabels": {"app": "web"}}, "template": template}});
    std::fs::write(&web, set.to_string())?;
    let web = web.to_str().ok_or("UTF-8")?;
    // Three cores are left on one node, four on the other.
    let said = scene.what_if(&["-f", web]).await?;
    assert!(said.contains("3 placed on 2 nodes, 2 not"), "{said}");
    let said = scene.what_if(&["-f", web, "--add", &format!("{full}=1")]).await?;
    assert!(said.contains("4 placed on ") && said.contains(" nodes, 1 not"), "{said}");
    let said = scene.what_if(&["--drain", &full]).await?;
    assert!(said.contains("1 placed on 1 nodes, 1 not"), "{said}");
    let there = |pods: &[Value]| (pods.len() == 2).then_some(());
    scene.until("the two pods and no more", scheme::PODS, there).await?;
    scene.close().await;
    Ok(())
}
