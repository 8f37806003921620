//! Our store over etcd, over our server: what goes through both of them keeps the contract.

use crate::scene::{Scene, options};
use futures::lock::Mutex;
use windlass_store::{Etcd, EtcdOptions, testing};

/// Each case has a server of its own; they stay until the end.
async fn contract(durable: bool) {
    let scenes = Mutex::new(Vec::new());
    let fresh = async || {
        let scene = Scene::start(durable, options()).await;
        let endpoint = format!("http://127.0.0.1:{}", scene.port);
        scenes.lock().await.push(scene);
        Etcd::connect(EtcdOptions::new([endpoint])).await.unwrap()
    };
    testing::contract(fresh).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_memory_store_keeps_the_contract_through_the_server() {
    contract(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_store_keeps_the_contract_through_the_server() {
    contract(true).await;
}
