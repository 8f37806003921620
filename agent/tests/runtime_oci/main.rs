//! The contract, and more, on real containers. Needs root and a static busybox
//! (`apt-get install busybox-static`); says so and passes where one is missing.

mod lifecycle;
mod rights;
mod streams;
mod support;

use support::Oci;
use windlass_agent::runtime::testing;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keeps_the_contract() {
    let Some(mut oci) = Oci::new().await else { return };
    testing::contract(&mut oci).await;
}
