//! A cluster in which much goes wrong.

use super::ledger::{Ledger, SPREAD, ZONES};
use crate::client::Unreliable;
use crate::cluster::{Cluster, scheduler};
use crate::trouble::Trouble;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use windlass_core::Object;
use windlass_core::cache::{HeaderOnly, Informer, InformerFactory};
use windlass_core::client::{Client, ClientExt, DeleteOptions, Key, Patch, WriteOptions};
use windlass_core::clock::{Random, Seeded};
use windlass_core::component::{Component, Ready, Shutdown};
use windlass_core::scheme;
use windlass_scheduler::config::{Configuration, Registry};
use windlass_scheduler::framework::Profiles;
use windlass_scheduler::gang::POD_GROUPS;

const GANG: usize = 4;
/// A scheduler begins when the lease of the one before has ended.
const LEASE: Duration = Duration::from_secs(15);
/// Longer than any back-off, look or flush takes.
const IN_THE_END: Duration = Duration::from_secs(20 * 60);

pub(crate) struct World {
    cluster: Cluster,
    trouble: Arc<Trouble>,
    random: Seeded,
    pods: Arc<Informer<HeaderOnly>>,
    ledger: Arc<Mutex<Ledger>>,
    nodes: Vec<String>,
    made: usize,
}

impl World {
    pub(crate) async fn open(seed: u64) -> Self {
        let cluster = Cluster::server(seed).await;
        let informers = InformerFactory::new(cluster.client.clone(), cluster.shutdown.clone());
        let pods = informers.informer::<HeaderOnly>(scheme::PODS);
        let ledger = Arc::new(Mutex::new(Ledger::default()));
        let told = ledger.clone();
        pods.on_change(move |change| told.lock().pod_changed(change));
        let (trouble, random) = (Arc::new(Trouble::new(seed)), Seeded::new(seed ^ 0x5eed));
        let mut world = Self { cluster, trouble, random, pods, ledger, nodes: Vec::new(), made: 0 };
        world.furnish().await;
        world.start(seed);
        world
    }

    /// What is there from the beginning.
    async fn furnish(&mut self) {
        self.cluster.create(scheme::CUSTOMRESOURCEDEFINITIONS, pod_groups()).await;
        let served = |definition: &Value| {
            let conditions = definition["status"]["conditions"].as_array();
            conditions.is_some_and(|all| {
                all.iter().any(|c| c["type"] == "Established" && c["status"] == "True")
            })
        };
        self.cluster.find(scheme::CUSTOMRESOURCEDEFINITIONS, served).await;
        for zone in 0..ZONES {
            let name = format!("stable-{zone}");
            self.make_node(&name, 8).await;
            let taint = json!({"key": "only", "value": "spread", "effect": "NoSchedule"});
            let change = json!({"metadata": {"labels": {"zone": zone.to_string(), "pool": "stable"}},
                "spec": {"taints": [taint]}});
            self.cluster.patch(&Key::cluster(scheme::NODES, name), change).await;
        }
        for _ in 0..5 {
            self.add_node(4).await;
        }
        self.add_gang("giant", "64").await;
        for n in 0..SPREAD {
            self.add_pod(&format!("spread-{n}"), "1", 1000, spread()).await;
        }
    }

    /// Schedulers, one after the other; kubelets; and who removes the pods of nodes that are no more.
    fn start(&self, seed: u64) {
        let (client, trouble) = (self.cluster.client.clone(), self.trouble.clone());
        tokio::spawn(live_and_die(client, trouble, self.cluster.shutdown.clone(), seed));
        let (client, pods) = (self.cluster.client.clone(), self.pods.clone());
        let (ledger, random) = (self.ledger.clone(), Seeded::new(seed));
        tokio::spawn(async move {
            loop {
                let ended = pods.wait_for(|pods| going(pods, &ledger.lock())).await;
                tokio::time::sleep(Duration::from_millis(random.next() % 3000)).await;
                let now = DeleteOptions {
                    grace_period_seconds: Some(0),
                    ..DeleteOptions::uid(&*ended.1)
                };
                // It may be gone already.
                client.delete(&ended.0, &now).await.ok();
                let gone = |pods: &Informer<HeaderOnly>| {
                    let there = pods.get("ns", &ended.0.name);
                    there.is_none_or(|e| *e.object.header().uid != *ended.1).then_some(())
                };
                pods.wait_for(gone).await;
            }
        });
    }

    fn below(&self, limit: usize) -> usize {
        ((self.random.next() >> 11) % limit as u64) as usize
    }

    fn chosen(&self) -> Option<String> {
        (!self.nodes.is_empty()).then(|| self.nodes[self.below(self.nodes.len())].clone())
    }

    pub(crate) async fn step(&mut self) {
        match self.below(16) {
            0 => self.add_node(4).await,
            1 if self.nodes.len() > 2 => {
                let node = self.nodes.swap_remove(self.below(self.nodes.len()));
                let key = Key::cluster(scheme::NODES, &*node);
                self.ledger.lock().gone.insert(node);
                let gone = self.cluster.client.delete(&key, &DeleteOptions::default()).await;
                gone.expect("it was there");
            }
            2 => self.silence(true).await,
            3 => self.silence(false).await,
            4 => {
                let name = format!("gang-{}", self.made);
                self.add_gang(&name, "500m").await;
            }
            5 | 6 => self.end(self.chosen_pod("pod")).await,
            7 => self.replace_spread().await,
            8 => self.shrink_pod().await,
            _ => {
                let name = format!("pod-{}", self.made);
                let cpu = format!("{}00m", 1 + self.below(20));
                let priority = [0, 0, 10][self.below(3)];
                self.add_pod(&name, &cpu, priority, json!({})).await;
            }
        }
        tokio::time::sleep(Duration::from_millis(self.below(1500) as u64)).await;
    }

    async fn make_node(&mut self, name: &str, cpu: usize) {
        self.ledger.lock().nodes.insert(name.to_owned(), cpu as i64 * 1000);
        self.cluster.add_node(name, &cpu.to_string()).await;
    }

    async fn add_node(&mut self, cpu: usize) {
        self.made += 1;
        let name = format!("node-{}", self.made);
        self.make_node(&name, cpu).await;
        self.nodes.push(name);
    }

    /// A node is not ready any more, or is again.
    async fn silence(&self, silent: bool) {
        let stable = format!("stable-{}", self.below(3));
        let node = match self.below(3) {
            0 => stable,
            _ => self.chosen().unwrap_or(stable),
        };
        self.taint(&node, silent).await;
    }

    async fn taint(&self, node: &str, silent: bool) {
        let own = json!({"key": "only", "value": "spread", "effect": "NoSchedule"});
        let taint = json!({"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"});
        let taints: Vec<Value> = [(node.starts_with("stable"), own), (silent, taint)]
            .into_iter()
            .filter_map(|(there, taint)| there.then_some(taint))
            .collect();
        let key = Key::cluster(scheme::NODES, node);
        self.cluster.patch(&key, json!({"spec": {"taints": taints}})).await;
    }

    async fn add_pod(&mut self, name: &str, cpu: &str, priority: i32, more: Value) {
        self.made += 1;
        let container = json!({"name": "c", "image": "i", "resources": {"requests": {"cpu": cpu}}});
        let mut spec = json!({"containers": [container], "priority": priority});
        let more = more.as_object().expect("an object").clone();
        spec.as_object_mut().expect("an object").extend(more);
        let labels = json!({"app": name.split('-').next()});
        let pod = json!({"metadata": {"name": name, "labels": labels}, "spec": spec});
        self.cluster.create(scheme::PODS, pod).await;
    }

    async fn add_gang(&mut self, name: &str, cpu: &str) {
        let group = json!({"apiVersion": "scheduling.k8s.io/v1alpha2", "kind": "PodGroup",
            "metadata": {"name": name}, "spec": {"schedulingPolicy": {"gang": {"minCount": GANG}}}});
        let made = self.cluster.client.create_from(&Key::new(POD_GROUPS, "ns", ""), &group).await;
        made.expect("a group");
        for n in 0..GANG {
            // One of them alone has no room.
            let cpu = if n == 0 { cpu } else { "500m" };
            let member = json!({"schedulingGroup": {"podGroupName": name}});
            self.add_pod(&format!("{name}-{n}"), cpu, 5, member).await;
        }
    }

    fn chosen_pod(&self, kind: &str) -> Option<Key> {
        let pods = self.pods.list(None);
        let pods = pods.iter().map(|pod| &*pod.object);
        let wanted = |pod: &&Object| pod.name().starts_with(kind) && !pod.header().deleting;
        let pods: Vec<&Object> = pods.filter(wanted).collect();
        let pod = pods.get(self.below(pods.len().max(1)))?;
        Some(Key::new(scheme::PODS, "ns", pod.name()))
    }

    async fn end(&self, pod: Option<Key>) {
        if let Some(key) = pod {
            // It may be gone already.
            self.cluster.client.delete(&key, &DeleteOptions::default()).await.ok();
        }
    }

    /// One of the pods that are spread ends when all have nodes, and another one comes.
    async fn replace_spread(&mut self) {
        if self.ledger.lock().spread.len() == SPREAD {
            self.end(self.chosen_pod("spread")).await;
            let name = format!("spread-{}", self.made + SPREAD);
            self.add_pod(&name, "1", 1000, spread()).await;
        }
    }

    /// A pod asks for less: what it had is there for others.
    async fn shrink_pod(&self) {
        let Some(key) = self.chosen_pod("pod") else { return };
        let resources = json!({"requests": {"cpu": "50m"}});
        let change = json!({"spec": {"containers": [{"name": "c", "resources": resources}]}});
        let resize = key.subresource("resize");
        let options = WriteOptions::default();
        // It may have no node yet, or be gone.
        self.cluster.client.patch(&resize, Patch::strategic(&change), &options).await.ok();
    }

    /// From now on nothing fails, and there is room for all.
    pub(crate) async fn peace(&mut self) {
        assert!(self.trouble.kills() > 0 && self.ledger.lock().bound > 20, "not much happened");
        self.trouble.end();
        for node in self.nodes.clone() {
            self.taint(&node, false).await;
        }
        for zone in 0..3 {
            self.taint(&format!("stable-{zone}"), false).await;
        }
        for _ in 0..8 {
            self.add_node(16).await;
        }
    }

    pub(crate) async fn all_placed(&self) {
        let placed = self.pods.wait_for(|pods| waiting(pods).is_empty().then_some(()));
        if tokio::time::timeout(IN_THE_END, placed).await.is_err() {
            panic!("lost: {:?}", waiting(&self.pods));
        }
    }

    pub(crate) async fn check(&self) {
        let ledger = self.ledger.lock();
        assert!(ledger.wrongs.is_empty(), "{:#?}", ledger.wrongs);
        // How they are spread was looked at when the last of them got its node.
        assert_eq!(ledger.spread.len(), SPREAD);
    }
}

/// The names of pods that have no node and should have one: all but those of a gang that is not whole any more.
fn waiting(pods: &Informer<HeaderOnly>) -> Vec<String> {
    let pods: Vec<Value> =
        pods.list(None).iter().map(|pod| pod.object.view().expect("JSON")).collect();
    let group = |pod: &Value| pod["spec"]["schedulingGroup"]["podGroupName"].clone();
    let mut members: BTreeMap<String, usize> = BTreeMap::new();
    pods.iter().for_each(|pod| *members.entry(group(pod).to_string()).or_default() += 1);
    let whole = |pod: &Value| {
        let group = group(pod);
        group.is_null() || (group != "giant" && members[&group.to_string()] >= GANG)
    };
    let waits = pods.iter().filter(|pod| pod["spec"]["nodeName"].is_null() && whole(pod));
    waits.map(|pod| pod["metadata"]["name"].to_string()).collect()
}

/// A pod that ends, or whose node is no more.
fn going(pods: &Informer<HeaderOnly>, ledger: &Ledger) -> Option<(Key, Box<str>)> {
    let found = pods.list(None).into_iter().find(|pod| {
        let pod: Value = pod.object.view().expect("JSON");
        let node = pod["spec"]["nodeName"].as_str().unwrap_or_default();
        pod["metadata"]["deletionTimestamp"].is_string() || ledger.gone.contains(node)
    })?;
    let key = Key::new(scheme::PODS, "ns", found.object.name());
    Some((key, found.object.header().uid.clone()))
}

fn spread() -> Value {
    json!({"nodeSelector": {"pool": "stable"}, "tolerations": [{"key": "only", "operator": "Exists"}],
        "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": {"app": "spread"}}}]})
}

fn pod_groups() -> Value {
    let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    json!({"metadata": {"name": "podgroups.scheduling.k8s.io",
            "annotations": {"api-approved.kubernetes.io": "unapproved, for a test"}},
        "spec": {"group": "scheduling.k8s.io", "scope": "Namespaced",
            "names": {"plural": "podgroups", "singular": "podgroup", "kind": "PodGroup", "listKind": "PodGroupList"},
            "versions": [{"name": "v1alpha2", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": schema}}]}})
}

/// The default plugins, and gangs.
fn profiles(client: Arc<dyn Client>) -> Profiles {
    let gangs = json!({"multiPoint": {"enabled": [{"name": "GangScheduling"}]}});
    let file = json!({"apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration", "profiles": [{"plugins": gangs}]});
    let configuration = Configuration::new(file).expect("valid");
    configuration.profiles(&Registry::default(), Some(client)).expect("valid")
}

/// Schedulers that know nothing of each other. What one has sent is done before the next begins.
async fn live_and_die(client: Arc<dyn Client>, trouble: Arc<Trouble>, end: Shutdown, seed: u64) {
    for life in 0.. {
        let shutdown = end.child_token();
        let way: Arc<dyn Client> =
            Arc::new(Unreliable { inner: client.clone(), trouble: trouble.clone() });
        let one = scheduler(way.clone(), &shutdown, seed + life, Some(profiles(way)));
        let running = tokio::spawn(Box::new(one).run(Ready::default(), shutdown.clone()));
        let (_, long) = trouble.life();
        tokio::time::sleep(long * 4).await;
        if trouble.is_over() {
            end.cancelled().await;
            return;
        }
        shutdown.cancel();
        running.await.expect("no panic").expect("it ends well");
        trouble.killed();
        tokio::time::sleep(LEASE).await;
    }
}
