//! An API server that can be relied on, and controllers that can't.

use crate::cluster::Cluster;
use crate::kill::live_and_die;
use crate::trouble::Trouble;
use serde_json::Value;
use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinHandle;
use windlass_core::cache::{Change, HeaderOnly, InformerFactory};
use windlass_core::clock::Env;
use windlass_core::component::Shutdown;
use windlass_core::scheme::{self, GroupVersionResource};

/// Trouble lasts so long after each thing that happens, in virtual time.
const TROUBLED: Duration = Duration::from_secs(30);
/// What is settled stays so.
const SETTLED: Duration = Duration::from_secs(120);

/// Of all objects that were ever made.
type Names = Arc<Mutex<BTreeSet<String>>>;

pub(crate) struct World {
    cluster: Cluster,
    trouble: Arc<Trouble>,
    running: JoinHandle<()>,
    informers: InformerFactory,
    shutdown: Shutdown,
    made: Mutex<Vec<(GroupVersionResource, Names)>>,
}

impl Deref for World {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.cluster
    }
}

impl World {
    pub(crate) async fn open(seed: u64, controllers: &'static [&'static str]) -> Self {
        let cluster = Cluster::start(&[]).await;
        let (trouble, env) = (Arc::new(Trouble::new(seed)), Env::simulated(seed));
        let life = live_and_die(cluster.client.clone(), trouble.clone(), controllers, env);
        let running = tokio::spawn(life);
        let shutdown = Shutdown::new();
        let informers = InformerFactory::new(cluster.client.clone(), shutdown.clone());
        Self { cluster, trouble, running, informers, shutdown, made: Mutex::default() }
    }

    /// Counts all objects of a resource that are ever made.
    pub(crate) async fn count(&self, resource: GroupVersionResource) {
        let uids = Arc::new(Mutex::new(BTreeSet::new()));
        let informer = self.informers.informer::<HeaderOnly>(resource.clone());
        let seen = uids.clone();
        informer.on_change(move |change| {
            if let Change::Added(entry) = change {
                seen.lock().unwrap().insert(entry.object.header().uid.to_string());
            }
        });
        informer.synced().wait().await;
        self.made.lock().unwrap().push((resource, uids));
    }

    /// Lets things go wrong for a while.
    pub(crate) async fn trouble(&self) {
        tokio::time::sleep(TROUBLED).await;
    }

    /// From now on nothing goes wrong.
    pub(crate) fn peace(&self) {
        assert!(self.trouble.kills() >= 3, "there was no trouble");
        self.trouble.end();
    }

    /// So many of a resource were ever made, and not one more.
    pub(crate) fn assert_made(&self, resource: &GroupVersionResource, count: usize) {
        let made = self.made.lock().unwrap();
        let (_, uids) = made.iter().find(|(counted, _)| counted == resource).unwrap();
        assert_eq!(uids.lock().unwrap().len(), count, "{resource} made");
    }

    /// Waits until the objects of a resource are as wanted, and makes sure that they stay so.
    pub(crate) async fn settles(
        &self,
        what: &str,
        resource: GroupVersionResource,
        wanted: impl Fn(&[Value]) -> bool,
    ) -> Vec<Value> {
        self.until(what, resource.clone(), "", &wanted).await;
        tokio::time::sleep(SETTLED).await;
        let all = self.list(resource, "").await;
        assert!(wanted(&all), "{what}: it did not stay so: {:#}", serde_json::json!(all));
        all
    }

    /// Exactly so many pods are there, none of them about to go.
    pub(crate) async fn settles_at(&self, pods: usize) -> Vec<Value> {
        let enough = |all: &[Value]| all.len() == pods && all.iter().all(is_staying);
        self.settles(&format!("{pods} pods"), scheme::PODS, enough).await
    }

    pub(crate) fn close(self) {
        self.running.abort();
        self.shutdown.cancel();
    }
}

pub(crate) fn is_staying(object: &Value) -> bool {
    object["metadata"]["deletionTimestamp"].is_null()
}
