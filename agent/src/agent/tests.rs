//! An agent over the runtime in memory, on virtual time.

mod api;
mod evicted;
mod fixed;
mod image_volumes;
mod images;
mod lives;
mod pods;
mod resize;
mod server;
mod shut_down;

use super::Agent;
use crate::config::Config;
use crate::node_shutdown::{NodeShutdown, PriorityGrace};
use crate::runtime::fake::{Director, FakeRuntime};
use crate::runtime::{ContainerConfig, Runtime};
use api::MemoryApi;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use windlass_core::cache::InformerFactory;
use windlass_core::client::Client;
use windlass_core::clock::Env;
use windlass_core::component::{Component, Ready, Shutdown};

/// Everything happens within this much virtual time.
const DEADLINE: Duration = Duration::from_secs(3600);

/// A node under test. Its agent and folder go with it.
struct TestNode {
    api: Arc<MemoryApi>,
    runtime: FakeRuntime,
    shutdown: Shutdown,
    down: NodeShutdown,
    root: tempfile::TempDir,
    env: Env,
    config: Config,
}

impl TestNode {
    async fn start(director: impl Director + 'static) -> Self {
        Self::with(director, None).await
    }

    async fn serving(director: impl Director + 'static, listener: TcpListener) -> Self {
        Self::with(director, Some(listener)).await
    }

    async fn with(director: impl Director + 'static, listener: Option<TcpListener>) -> Self {
        let node = Self::idle(director).await;
        node.start_agent(&node.shutdown, listener).await;
        node
    }

    /// One whose agent is not started yet.
    async fn idle(director: impl Director + 'static) -> Self {
        let env = Env::simulated(7);
        let clock = env.clock.clone();
        let runtime = FakeRuntime::new(director, move || clock.now().into());
        runtime.pull_image_for_tests().await;
        let root = tempfile::tempdir().expect("a folder");
        let config = Config {
            node_name: "n1".into(),
            root_dir: root.path().into(),
            mount_filesystems: false,
            shutdown_grace: PriorityGrace::usual(Duration::from_secs(30), Duration::from_secs(10)),
            static_pod_path: Some(root.path().join("manifests")),
            ..Config::default()
        };
        Self {
            api: Arc::new(MemoryApi::default()),
            runtime,
            shutdown: Shutdown::new(),
            down: NodeShutdown::default(),
            root,
            env,
            config,
        }
    }

    /// Starts an agent over the node's runtime and folder, as after a restart.
    async fn start_agent(&self, shutdown: &Shutdown, listener: Option<TcpListener>) {
        let client: Arc<dyn Client> = self.api.clone();
        let mut builder = Agent::builder();
        if let Some(listener) = listener {
            builder = builder.serve(listener, None);
        }
        let agent = builder
            .config(self.config.clone())
            .client(client.clone())
            .informers(InformerFactory::new(client, shutdown.clone()))
            .env(self.env.clone())
            .node_shutdown(self.down.clone())
            .runtime(Arc::new(self.runtime.clone()))
            .build()
            .expect("all is given");
        let (ready, stop) = (Ready::default(), shutdown.clone());
        let running = ready.clone();
        tokio::spawn(async move { Box::new(agent).run(running, stop).await.expect("runs") });
        ready.wait().await;
    }

    /// Waits until the pod is as `wanted` says, then returns it.
    async fn until(&self, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let seen = self.api.until("pods", "default", name, |pod| pod.is_some_and(&wanted));
        match tokio::time::timeout(DEADLINE, seen).await {
            Ok(pod) => pod.expect("it is there"),
            Err(_) => panic!("never so: {:#}", self.api.read("pods", "default", name)),
        }
    }

    async fn until_gone(&self, name: &str) {
        let gone = self.api.until("pods", "default", name, |pod| pod.is_none());
        tokio::time::timeout(DEADLINE, gone).await.expect("it goes");
    }
}

impl Drop for TestNode {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

trait Prepare {
    async fn pull_image_for_tests(&self);
}

impl Prepare for FakeRuntime {
    async fn pull_image_for_tests(&self) {
        let runtime: &dyn Runtime = self;
        runtime.pull_image("busybox:1", None).await.expect("the image comes");
    }
}

/// A pod bound to the node; `spec` is merged into one with a container `c`.
fn pod(name: &str, spec: &Value) -> Value {
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "uid": format!("uid-{name}"), "labels": {"app": name}},
        "spec": {
            "nodeName": "n1", "restartPolicy": "Always", "terminationGracePeriodSeconds": 30,
            "containers": [{"name": "c", "image": "busybox:1", "imagePullPolicy": "IfNotPresent"}],
        },
    });
    api::merge(&mut pod["spec"], spec);
    pod
}

/// What a container is told to do stands in its first argument.
fn says(config: &ContainerConfig) -> &str {
    config.args.first().map_or("", String::as_str)
}
