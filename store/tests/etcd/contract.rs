//! The contract, on one member and on three.

use crate::cluster::Cluster;
use crate::rebased::Rebased;
use futures::lock::Mutex;
use std::collections::VecDeque;
use std::time::Instant;
use tokio::task::JoinHandle;
use windlass_store::testing;

/// Clusters that were never used, started ahead; one in use.
struct Fresh {
    ahead: VecDeque<JoinHandle<Cluster>>,
    used: Option<Cluster>,
}

impl Fresh {
    async fn next(&mut self) -> &Cluster {
        while self.ahead.len() < 4 {
            self.ahead.push_back(tokio::spawn(Cluster::start(1)));
        }
        self.used = Some(self.ahead.pop_front().unwrap().await.unwrap());
        self.used.as_ref().unwrap()
    }
}

/// As it stands: each case has an etcd of its own, at revision 1.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_member_keeps_the_contract() {
    let fresh = Mutex::new(Fresh { ahead: VecDeque::new(), used: None });
    let start = Instant::now();
    testing::contract(async || fresh.lock().await.next().await.store().await).await;
    eprintln!("the contract on one member, a fresh one for each case: {:?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_member_keeps_the_contract_with_a_past() {
    let cluster = Cluster::start(1).await;
    let start = Instant::now();
    testing::contract(async || Rebased::empty(cluster.store().await).await).await;
    eprintln!("the contract on one member: {:?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_members_keep_the_contract() {
    let cluster = Cluster::start(3).await;
    let start = Instant::now();
    testing::contract(async || Rebased::empty(cluster.store().await).await).await;
    eprintln!("the contract on three members: {:?}", start.elapsed());
}
