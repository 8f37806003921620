//! Two controller managers: one works, the other takes over when the first is killed; one that stood still writes nothing.

use crate::scene::{DEADLINE, HASTE, Running, Scene};
use serde_json::{Value, json};
use std::process::{Command, Stdio};
use windlass_core::client::{ClientExt, Key, Patch, Scope, WriteOptions};
use windlass_core::component::BoxError;
use windlass_core::scheme;

const NAME: &str = "kube-controller-manager";

impl Scene {
    fn manager(&self) -> Result<Running, BoxError> {
        Running::start(
            Command::new(env!("CARGO_BIN_EXE_windlass-controller-manager"))
                .arg("--kubeconfig")
                .arg(self.kubeconfig()?)
                .args(["--controllers", "replicaset-controller,serviceaccount-controller"])
                .args(HASTE)
                .stderr(Stdio::piped()),
        )
    }

    async fn pods(&self, count: usize) -> Result<(), BoxError> {
        let enough = |pods: &[Value]| (pods.len() == count).then_some(());
        self.until(&format!("{count} pods"), scheme::PODS, enough).await
    }

    async fn scale(&self, replicas: usize) -> Result<(), BoxError> {
        let key = Key::new(scheme::REPLICASETS, "default", "web");
        let patch = Patch::merge(&json!({"spec": {"replicas": replicas}}));
        self.client().patch(&key, patch, &WriteOptions::default()).await?;
        Ok(())
    }

    async fn create(&self, replicas: usize) -> Result<(), BoxError> {
        let labels = json!({"app": "web"});
        let set = json!({"metadata": {"name": "web"}, "spec": {"replicas": replicas,
            "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels},
            "spec": {"containers": [{"name": "c", "image": "x:1"}]}}}});
        let key = Key::new(scheme::REPLICASETS, "default", "web");
        self.client().create_from(&key, &set).await?;
        Ok(())
    }
}

impl Running {
    fn signal(&self, signal: rustix::process::Signal) -> Result<(), BoxError> {
        Ok(rustix::process::kill_process(rustix::process::Pid::from_child(&self.0), signal)?)
    }

    /// Waits for its end; whether it ended well, and what it said.
    async fn ended(mut self) -> Result<(bool, String), BoxError> {
        let mut said = self.0.stderr.take().ok_or("piped")?;
        let end = tokio::task::spawn_blocking(move || -> Result<_, BoxError> {
            let mut text = String::new();
            // It ends with the process.
            std::io::Read::read_to_string(&mut said, &mut text)?;
            Ok((self.0.wait()?.success(), text))
        });
        tokio::time::timeout(DEADLINE, end).await??
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_takes_over_from_a_leader_that_is_killed() -> Result<(), BoxError> {
    let scene = Scene::open().await?;
    let first = scene.manager()?;
    let leader = scene.leader(NAME, "").await?;
    let second = scene.manager()?;
    scene.create(2).await?;
    scene.pods(2).await?;
    drop(first);
    scene.leader(NAME, &leader).await?;
    scene.scale(4).await?;
    scene.pods(4).await?;
    // Asked to end, it gives the Lease back.
    second.signal(rustix::process::Signal::TERM)?;
    let free = |leases: &[Value]| {
        leases.iter().all(|lease| lease["spec"]["holderIdentity"].is_null()).then_some(())
    };
    scene.until("a free lease", scheme::LEASES, free).await?;
    assert!(second.ended().await?.0);
    scene.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_stood_still_writes_nothing() -> Result<(), BoxError> {
    let scene = Scene::open().await?;
    let first = scene.manager()?;
    let leader = scene.leader(NAME, "").await?;
    let second = scene.manager()?;
    scene.create(2).await?;
    scene.pods(2).await?;
    first.signal(rustix::process::Signal::STOP)?;
    scene.leader(NAME, &leader).await?;
    scene.scale(3).await?;
    scene.pods(3).await?;
    drop(second);
    // Only the first could act on this now, and it may not.
    scene.scale(6).await?;
    first.signal(rustix::process::Signal::CONT)?;
    let (well, said) = first.ended().await?;
    assert!(!well && said.contains("was not renewed in time"), "{said}");
    let pods = scene.client().list(&Scope::all(scheme::PODS), &Default::default()).await?;
    assert_eq!(pods.items.len(), 3);
    scene.close().await;
    Ok(())
}
