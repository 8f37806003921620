//! Control planes that keep their objects in etcd.

use futures::StreamExt;
use kube::api::{Api, PostParams, WatchEvent, WatchParams};
use serde_json::json;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use windlass::standalone::{Cluster, Options};
use windlass_core::apis::core::v1::ConfigMap;
use windlass_core::component::BoxError;
use windlass_store::{Etcd, EtcdOptions};

const DEADLINE: Duration = Duration::from_secs(30);

/// One etcd on free ports; killed when it is dropped.
struct Server {
    child: Child,
    url: String,
    _dir: tempfile::TempDir,
}

impl Server {
    fn start() -> Result<Self, BoxError> {
        let dir = tempfile::tempdir()?;
        let ports = [TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?];
        let [url, peer] = ports.map(|port| port.local_addr().map(|a| format!("http://{a}")));
        let (url, peer) = (url?, peer?);
        let child = Command::new("etcd")
            .arg("--data-dir")
            .arg(dir.path())
            .args(["--listen-client-urls", &url, "--advertise-client-urls", &url])
            .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
            .args(["--initial-cluster", &format!("default={peer}")])
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self { child, url, _dir: dir })
    }

    /// A control plane without a data directory of its own.
    async fn control_plane(&self) -> Result<Cluster, BoxError> {
        let store = Etcd::connect(EtcdOptions::new([&self.url])).await?;
        let options = Options { controllers: false, scheduler: false, ..Options::in_memory() };
        Ok(Cluster::start(Options { store: Some(Arc::new(store)), ..options }).await?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it was started here");
    }
}

fn config_maps(cluster: &Cluster) -> Api<ConfigMap> {
    Api::namespaced(cluster.kube_client(), "default")
}

async fn create(cluster: &Cluster, name: &str) -> Result<ConfigMap, BoxError> {
    let object = serde_json::from_value(json!({"metadata": {"name": name}}))?;
    Ok(config_maps(cluster).create(&PostParams::default(), &object).await?)
}

#[tokio::test]
async fn api_servers_on_one_etcd_see_each_others_writes() -> Result<(), BoxError> {
    let etcd = Server::start()?;
    let (first, second) = (etcd.control_plane().await?, etcd.control_plane().await?);
    let made = create(&first, "a").await?;
    let from = made.metadata.resource_version.as_deref().unwrap_or_default();
    assert_eq!(config_maps(&second).get("a").await?.metadata.uid, made.metadata.uid);
    let mut seen = config_maps(&second).watch(&WatchParams::default(), from).await?.boxed();
    create(&first, "b").await?;
    let event = tokio::time::timeout(DEADLINE, seen.next()).await?.ok_or("the watch ended")??;
    assert!(
        matches!(&event, WatchEvent::Added(object) if object.metadata.name.as_deref() == Some("b")),
        "{event:?}"
    );
    let taken = create(&second, "b").await.expect_err("it is there");
    assert!(taken.to_string().contains("already exists"), "{taken}");
    first.stop().await;
    second.stop().await;
    let third = etcd.control_plane().await?;
    let names = config_maps(&third).list(&Default::default()).await?;
    let names: Vec<_> = names.items.iter().filter_map(|c| c.metadata.name.as_deref()).collect();
    assert_eq!(names, ["a", "b"]);
    third.stop().await;
    Ok(())
}

/// What the program says when it can't start with these flags.
fn refusal(flags: &[&str]) -> Result<String, BoxError> {
    let dir = tempfile::tempdir()?;
    let mut program = Command::new(env!("CARGO_BIN_EXE_windlass-apiserver"));
    let output = program.arg("--data-dir").arg(dir.path()).args(flags).output()?;
    assert!(!output.status.success());
    Ok(String::from_utf8(output.stderr)?)
}

#[test]
fn flags_that_lead_to_no_etcd_are_refused() -> Result<(), BoxError> {
    let said = refusal(&["--etcd-servers", "https://127.0.0.1:9"])?;
    assert!(said.starts_with("error: etcd at https://127.0.0.1:9: "), "{said}");
    assert!(said.contains("needs the CA's certificate"), "{said}");
    let said = refusal(&["--etcd-servers", "https://[::1]:9", "--etcd-cafile", "/nowhere/ca.crt"])?;
    assert!(said.contains("/nowhere/ca.crt") && said.lines().count() == 1, "{said}");
    let said = refusal(&["--etcd-certfile", "client.crt"])?;
    assert!(said.contains("--etcd-keyfile"), "{said}");
    Ok(())
}
