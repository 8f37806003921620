//! The contract of the client traits, kept by every way to reach a server: in-process, as a tower
//! service under a `kube::Client`, and over TLS.

mod aggregation;
mod contract;
mod kube_rs;
mod own_kinds;
mod transactions;

use jiff::Timestamp;
use std::sync::Arc;
use tokio::net::TcpListener;
use windlass_api::authentication::{ClientCertificate, User};
use windlass_api::local::LocalClient;
use windlass_api::pki::{Authority, server_tls};
use windlass_api::server::{ApiServer, Builder, ServeOptions};
use windlass_core::client::remote::RemoteClient;
use windlass_core::client::{Client, ClientExt, Key};
use windlass_core::clock::SystemClock;
use windlass_core::component::Shutdown;
use windlass_core::scheme;

async fn fill(server: Arc<ApiServer>) {
    let admin = LocalClient::new(server, User::admin());
    let key = Key::cluster(scheme::NAMESPACES, "");
    for name in ["default", "other"] {
        let namespace = serde_json::json!({"metadata": {"name": name}});
        admin.create_from(&key, &namespace).await.expect("a namespace");
    }
}

async fn server() -> Arc<ApiServer> {
    let server = ApiServer::builder().build().await.expect("a server");
    fill(server.clone()).await;
    server
}

#[tokio::test]
async fn in_process() {
    let client: Arc<dyn Client> = Arc::new(LocalClient::new(server().await, User::admin()));
    contract::run(client).await;
}

#[tokio::test]
async fn as_a_tower_service() {
    let kube = kube::Client::new(server().await.service(), "default");
    contract::run(Arc::new(RemoteClient::new(kube))).await;
}

#[tokio::test]
async fn over_tls() {
    let (client, running) = over_tls_client(ApiServer::builder()).await;
    contract::run(client).await;
    let Running { shutdown, serving } = running;
    shutdown.cancel();
    let ended = tokio::time::timeout(std::time::Duration::from_secs(10), serving).await;
    ended.expect("it ends in time").expect("it does not panic");
}

/// A server on a socket.
struct Running {
    shutdown: Shutdown,
    serving: tokio::task::JoinHandle<()>,
}

/// A client that reaches such a server over TLS.
async fn over_tls_client(builder: Builder) -> (Arc<dyn Client>, Running) {
    let now = Timestamp::now();
    let authority = Authority::ephemeral("test", now).expect("an authority");
    let own = authority.server("apiserver", &["127.0.0.1".into()], now).expect("signed");
    let tls = server_tls(&own, authority.certificate(), false).expect("TLS");
    let builder = builder
        .authenticator(Arc::new(ClientCertificate::new(Arc::new(SystemClock))))
        .anonymous(false);
    let server = builder.build().await.expect("a server");
    fill(server.clone()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let shutdown = Shutdown::new();
    let options = ServeOptions { tls: Some(Arc::new(tls)), ..ServeOptions::default() };
    let serving = tokio::spawn(server.serve(listener, options, shutdown.clone()));
    let client = remote(&authority, &format!("https://{address}"), now);
    (Arc::new(client), Running { shutdown, serving })
}

/// A client with a certificate, as a kubeconfig would make it.
fn remote(authority: &Authority, url: &str, now: Timestamp) -> RemoteClient {
    let admin = authority.client("admin", &["system:masters"], now).expect("signed");
    let config = serde_json::json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "x",
        "clusters": [{"name": "x", "cluster": {
            "server": url, "certificate-authority-data": base64(authority.certificate()),
        }}],
        "users": [{"name": "x", "user": {
            "client-certificate-data": base64(&admin.certificate),
            "client-key-data": base64(&admin.key),
        }}],
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
    });
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("kubeconfig");
    std::fs::write(&path, config.to_string()).expect("written");
    futures::executor::block_on(RemoteClient::from_kubeconfig(&path)).expect("a client")
}

fn base64(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(text)
}
