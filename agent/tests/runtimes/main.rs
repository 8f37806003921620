//! The contract, and more, on real containers. Needs root and a static busybox
//! (`apt-get install busybox-static`); says so and passes where one is missing.

mod daemon;
mod lifecycle;
mod registry;
mod rights;
mod streams;
mod support;
mod volumes;

use support::Node;
use windlass_agent::runtime::testing;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keeps_the_contract() {
    let Some(node) = Node::oci().await else { return };
    keeps_the_contract_on(node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keeps_the_contract_on_containerd() {
    let Some(node) = Node::containerd().await else { return };
    keeps_the_contract_on(node).await;
}

async fn keeps_the_contract_on(mut node: Node) {
    testing::contract(&mut node).await;
}
