//! The contract of the client traits, kept by every way to reach a server: in-process, as a tower
//! service under a `kube::Client`, and over TLS.

mod contract;

use std::sync::Arc;
use windlass_api::authentication::User;
use windlass_api::local::LocalClient;
use windlass_api::server::ApiServer;
use windlass_core::client::remote::RemoteClient;
use windlass_core::client::{Client, ClientExt, Key};
use windlass_core::scheme;

async fn server() -> Arc<ApiServer> {
    let server = ApiServer::builder().build().await.expect("a server");
    let admin = LocalClient::new(server.clone(), User::admin());
    let key = Key::cluster(scheme::NAMESPACES, "");
    for name in ["default", "other"] {
        let namespace = serde_json::json!({"metadata": {"name": name}});
        admin.create_from(&key, &namespace).await.expect("a namespace");
    }
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
