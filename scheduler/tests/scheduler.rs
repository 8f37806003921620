//! The scheduler against an API server in the same process, in virtual time.

use bytes::Bytes;
use futures::StreamExt;
use futures::future::join_all;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use windlass_api::authentication::User;
use windlass_api::local::LocalClient;
use windlass_api::server::ApiServer;
use windlass_core::cache::InformerFactory;
use windlass_core::client::{
    Client, ClientExt, DeleteOptions, Key, ListOptions, Patch, Reader, Scope, WatchEvent,
    WatchStream, Watcher, WriteOptions, Writer,
};
use windlass_core::clock::Env;
use windlass_core::component::{Component, Ready, Shutdown};
use windlass_core::events::Recorder;
use windlass_core::object::{Object, ObjectList};
use windlass_core::scheme::{self, GroupVersionResource};
use windlass_scheduler::framework::{Bind, Placement};
use windlass_scheduler::plugins::DefaultBinder;
use windlass_scheduler::{PodInfo, Scheduler};

type Answer = windlass_core::Result<Arc<Object>>;

/// In virtual time.
const DEADLINE: Duration = Duration::from_secs(60);

struct Cluster {
    client: Arc<dyn Client>,
    shutdown: Shutdown,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl Cluster {
    async fn start() -> Self {
        let (env, shutdown) = (Env::simulated(7), Shutdown::new());
        let server = ApiServer::builder().env(env.clone()).build().await.expect("a server");
        let client: Arc<dyn Client> = Arc::new(LocalClient::new(server, User::admin()));
        let cluster = Self { client: client.clone(), shutdown: shutdown.clone() };
        cluster.create(scheme::NAMESPACES, json!({"metadata": {"name": "ns"}})).await;
        let informers = InformerFactory::new(client.clone(), shutdown.clone());
        let recorder =
            Recorder::new(client, env.clone(), "default-scheduler", "", shutdown.clone());
        let scheduler = Scheduler::builder(informers, recorder, env).build();
        let ready = Ready::default();
        tokio::spawn(Box::new(scheduler).run(ready.clone(), shutdown));
        tokio::time::timeout(DEADLINE, ready.wait()).await.expect("the scheduler gets ready");
        cluster
    }

    async fn create(&self, resource: GroupVersionResource, object: Value) -> Value {
        let namespaced = scheme::Scheme::builtin().by_gvr(&resource).expect("built in").namespaced;
        let key = Key::new(resource, if namespaced { "ns" } else { "" }, "");
        let made = self.client.create_from(&key, &object).await;
        made.unwrap_or_else(|error| panic!("{object}: {error}")).view().expect("JSON")
    }

    async fn add_node(&self, name: &str, cpu: &str) {
        self.create(scheme::NODES, json!({"metadata": {"name": name}})).await;
        let amounts = json!({"cpu": cpu, "memory": "8Gi", "pods": "110"});
        let status = json!({"status": {"allocatable": amounts, "capacity": amounts}});
        let key = Key::cluster(scheme::NODES, name).subresource("status");
        let patched =
            self.client.patch(&key, Patch::merge(&status), &WriteOptions::default()).await;
        patched.expect("a status");
    }

    async fn patch(&self, key: &Key, patch: Value) {
        let patched = self.client.patch(key, Patch::merge(&patch), &WriteOptions::default()).await;
        patched.unwrap_or_else(|error| panic!("{key}: {error}"));
    }

    async fn label_node(&self, name: &str, label: &str, value: &str) {
        let key = Key::cluster(scheme::NODES, name);
        self.patch(&key, json!({"metadata": {"labels": {label: value}}})).await;
    }

    async fn add_pod(&self, name: &str, spec: Value) {
        let mut all = json!({"containers": [{"name": "c", "image": "i",
            "resources": {"requests": {"cpu": "1"}}}]});
        all.as_object_mut()
            .expect("an object")
            .extend(spec.as_object().expect("an object").clone());
        self.create(scheme::PODS, json!({"metadata": {"name": name}, "spec": all})).await;
    }

    async fn delete_pod(&self, name: &str) {
        let now = DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() };
        let gone = self.client.delete(&Key::new(scheme::PODS, "ns", name), &now).await;
        gone.expect("it was there");
    }

    /// The first object of a resource, there already or to come, that is as wanted.
    async fn find(&self, resource: GroupVersionResource, wanted: impl Fn(&Value) -> bool) -> Value {
        let everything = ListOptions::default();
        let events = self.client.watch(&Scope::all(resource), &everything).await;
        let mut events = events.expect("a watch");
        let search = async {
            while let Some(batch) = events.next().await {
                for event in batch.expect("a watch") {
                    let (WatchEvent::Added(object) | WatchEvent::Modified(object)) = event else {
                        continue;
                    };
                    let object: Value = object.view().expect("JSON");
                    if wanted(&object) {
                        return object;
                    }
                }
            }
            panic!("the watch ended");
        };
        tokio::time::timeout(DEADLINE, search).await.expect("it comes in time")
    }

    async fn bound(&self, name: &str) -> String {
        let bound =
            |pod: &Value| pod["metadata"]["name"] == name && pod["spec"]["nodeName"].is_string();
        let pod = self.find(scheme::PODS, bound).await;
        let scheduled = condition(&pod).expect("the binding says it");
        assert_eq!((&scheduled["status"], &scheduled["reason"]), (&json!("True"), &Value::Null));
        pod["spec"]["nodeName"].as_str().expect("bound").to_owned()
    }

    async fn event(&self, reason: &str, pod: &str) -> Value {
        let about =
            |event: &Value| event["reason"] == reason && event["involvedObject"]["name"] == pod;
        self.find(scheme::EVENTS, about).await
    }

    /// The condition with which the scheduler says that a pod got no node.
    async fn refused(&self, name: &str) -> Value {
        let refused = |pod: &Value| {
            pod["metadata"]["name"] == name
                && condition(pod).is_some_and(|c| c["status"] == "False")
        };
        condition(&self.find(scheme::PODS, refused).await).expect("found by it").clone()
    }
}

fn condition(pod: &Value) -> Option<&Value> {
    let mut conditions = pod["status"]["conditions"].as_array()?.iter();
    conditions.find(|condition| condition["type"] == "PodScheduled")
}

#[tokio::test(start_paused = true)]
async fn a_pod_gets_a_node() {
    let cluster = Cluster::start().await;
    cluster.add_node("a", "4").await;
    cluster.add_pod("p", json!({})).await;
    assert_eq!(cluster.bound("p").await, "a");
    let event = cluster.event("Scheduled", "p").await;
    assert_eq!(event["message"], "Successfully assigned ns/p to a");
}

#[tokio::test(start_paused = true)]
async fn a_pod_keeps_away_from_those_it_can_not_be_with() {
    let cluster = Cluster::start().await;
    cluster.add_node("a", "4").await;
    let averse = json!({"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
        {"topologyKey": "kubernetes.io/hostname", "namespaceSelector": {}, "labelSelector": {}}]}}});
    cluster.label_node("a", "kubernetes.io/hostname", "a").await;
    cluster.add_pod("first", averse.clone()).await;
    assert_eq!(cluster.bound("first").await, "a");
    cluster.add_pod("second", averse).await;
    let message = cluster.refused("second").await["message"].to_string();
    assert!(message.contains("1 node(s) didn't match pod anti-affinity rules"), "{message}");
    cluster.add_node("b", "4").await;
    cluster.label_node("b", "kubernetes.io/hostname", "b").await;
    assert_eq!(cluster.bound("second").await, "b");
}

#[tokio::test(start_paused = true)]
async fn a_pod_waits_until_its_claims_have_volumes() {
    let cluster = Cluster::start().await;
    cluster.add_node("a", "4").await;
    cluster.add_node("b", "4").await;
    let class = |name: &str, provisioner: &str| {
        json!({"metadata": {"name": name}, "provisioner": provisioner,
            "volumeBindingMode": "WaitForFirstConsumer"})
    };
    cluster.create(scheme::STORAGECLASSES, class("local", "kubernetes.io/no-provisioner")).await;
    cluster.create(scheme::STORAGECLASSES, class("made", "x.io/maker")).await;
    let on_b =
        json!({"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["b"]}]});
    let volume = json!({"metadata": {"name": "v"}, "spec": {"storageClassName": "local",
        "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/v"},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [on_b]}}}});
    cluster.create(scheme::PERSISTENTVOLUMES, volume).await;
    let status = Key::cluster(scheme::PERSISTENTVOLUMES, "v").subresource("status");
    cluster.patch(&status, json!({"status": {"phase": "Available"}})).await;
    for class in ["local", "made"] {
        let claim = json!({"metadata": {"name": class}, "spec": {"storageClassName": class,
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
        cluster.create(scheme::PERSISTENTVOLUMECLAIMS, claim).await;
    }
    let volume =
        |claim: &str| json!({"name": claim, "persistentVolumeClaim": {"claimName": claim}});
    cluster.add_pod("p", json!({"volumes": [volume("local"), volume("made")]})).await;
    // The volume is set aside for its claim, and one is asked for on the same node.
    let set_aside = |v: &Value| v["spec"]["claimRef"]["name"] == "local";
    cluster.find(scheme::PERSISTENTVOLUMES, set_aside).await;
    let asked = |claim: &Value| {
        claim["metadata"]["annotations"]["volume.kubernetes.io/selected-node"] == "b"
    };
    cluster.find(scheme::PERSISTENTVOLUMECLAIMS, asked).await;
    // What the controllers and the maker do.
    for (claim, volume) in [("local", "v"), ("made", "w")] {
        let done = json!({"metadata": {"annotations": {"pv.kubernetes.io/bind-completed": "yes"}},
            "spec": {"volumeName": volume}});
        cluster.patch(&Key::new(scheme::PERSISTENTVOLUMECLAIMS, "ns", claim), done).await;
    }
    assert_eq!(cluster.bound("p").await, "b");
}

#[tokio::test(start_paused = true)]
async fn a_pod_gets_the_devices_it_claims() {
    let cluster = Cluster::start().await;
    cluster.add_node("a", "4").await;
    cluster.add_node("b", "4").await;
    cluster.create(scheme::DEVICECLASSES, json!({"metadata": {"name": "gpu"}, "spec": {}})).await;
    let pool = json!({"name": "b", "generation": 1, "resourceSliceCount": 1});
    let slice = json!({"metadata": {"name": "s"}, "spec": {"driver": "x.io", "nodeName": "b",
        "pool": pool, "devices": [{"name": "one"}]}});
    cluster.create(scheme::RESOURCESLICES, slice).await;
    let request = json!({"name": "r", "exactly": {"deviceClassName": "gpu"}});
    let claim = json!({"metadata": {"name": "c"}, "spec": {"devices": {"requests": [request]}}});
    cluster.create(scheme::RESOURCECLAIMS, claim).await;
    let claims = json!({"resourceClaims": [{"name": "gpu", "resourceClaimName": "c"}]});
    cluster.add_pod("p", claims.clone()).await;
    assert_eq!(cluster.bound("p").await, "b");
    let reserved = |claim: &Value| claim["status"]["reservedFor"][0]["name"] == "p";
    let claim = cluster.find(scheme::RESOURCECLAIMS, reserved).await;
    let result = &claim["status"]["allocation"]["devices"]["results"][0];
    assert_eq!((&result["device"], &result["request"]), (&json!("one"), &json!("r")));
    assert_eq!(
        claim["metadata"]["finalizers"],
        json!(["resource.kubernetes.io/delete-protection"])
    );
    // A second one shares the claim.
    cluster.add_pod("q", claims).await;
    assert_eq!(cluster.bound("q").await, "b");
}

#[tokio::test(start_paused = true)]
async fn a_pod_waits_for_a_node_and_says_so() {
    let cluster = Cluster::start().await;
    cluster.add_pod("p", json!({})).await;
    let condition = cluster.refused("p").await;
    assert_eq!(condition["reason"], "Unschedulable");
    assert_eq!(condition["message"], "no nodes available to schedule pods");
    let event = cluster.event("FailedScheduling", "p").await;
    assert_eq!((&event["type"], &event["message"]), (&json!("Warning"), &condition["message"]));
    cluster.add_node("small", "500m").await;
    cluster.add_node("a", "4").await;
    assert_eq!(cluster.bound("p").await, "a");
}

#[tokio::test(start_paused = true)]
async fn a_pod_takes_the_room_that_another_one_leaves() {
    let cluster = Cluster::start().await;
    cluster.add_node("a", "1").await;
    cluster.add_pod("first", json!({})).await;
    assert_eq!(cluster.bound("first").await, "a");
    cluster.add_pod("second", json!({})).await;
    let condition = cluster.refused("second").await;
    assert_eq!(
        condition["message"],
        "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: \
         1 No preemption victims found for incoming pod."
    );
    cluster.delete_pod("first").await;
    assert_eq!(cluster.bound("second").await, "a");
}

#[tokio::test(start_paused = true)]
async fn a_pod_of_higher_priority_takes_room_from_others() {
    let cluster = Cluster::start().await;
    cluster.add_node("a", "1").await;
    cluster.add_pod("low", json!({})).await;
    cluster.bound("low").await;
    cluster.add_pod("high", json!({"priority": 1000})).await;
    let ended = |pod: &Value| {
        let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
        let mut targets = conditions.filter(|c| c["type"] == "DisruptionTarget");
        pod["metadata"]["name"] == "low"
            && pod["metadata"]["deletionTimestamp"].is_string()
            && targets.any(|c| c["reason"] == "PreemptionByScheduler")
    };
    cluster.find(scheme::PODS, ended).await;
    let event = cluster.event("Preempted", "low").await;
    let text = event["message"].as_str().expect("text");
    assert!(text.starts_with("Preempted by pod ") && text.ends_with(" on node a"), "{text}");
    let promised = |pod: &Value| {
        pod["metadata"]["name"] == "high" && pod["status"]["nominatedNodeName"] == "a"
    };
    cluster.find(scheme::PODS, promised).await;
    // What an agent does when the pod has ended.
    cluster.delete_pod("low").await;
    assert_eq!(cluster.bound("high").await, "a");
}

fn placement(pod: &Value) -> Placement {
    let object = windlass_core::Object::from_wire(pod.to_string().into()).expect("an object");
    let pod = Arc::new(PodInfo::new(&object).expect("a pod"));
    Placement { pod, node: "a".into(), id: 0 }
}

/// Binds twenty pods at the same time, one of which is not who it was thought to be. Says at how many versions.
async fn bind_twenty(server: Arc<ApiServer>, refused: Option<usize>) -> usize {
    let client: Arc<dyn Client> = Arc::new(LocalClient::new(server, User::admin()));
    let cluster = Cluster { client: client.clone(), shutdown: Shutdown::new() };
    cluster.create(scheme::NAMESPACES, json!({"metadata": {"name": "ns"}})).await;
    let mut placements = Vec::new();
    for n in 0..20 {
        let pod = json!({"metadata": {"generateName": "p-"},
            "spec": {"containers": [{"name": "c", "image": "i"}]}});
        let mut pod = cluster.create(scheme::PODS, pod).await;
        if refused == Some(n) {
            pod["metadata"]["uid"] = "another".into();
        }
        placements.push(placement(&pod));
    }
    let binder = DefaultBinder::new(client.clone());
    let bound = join_all(placements.iter().map(|placement| binder.bind(placement))).await;
    let mut versions = BTreeSet::new();
    for (n, (bound, placement)) in bound.iter().zip(&placements).enumerate() {
        assert_eq!(bound.is_err(), refused == Some(n), "{bound:?}");
        let key = Key::new(scheme::PODS, "ns", &*placement.pod.name);
        let pod: Value = client.get_as(&key).await.expect("it is there");
        assert_eq!(pod["spec"]["nodeName"] == "a", bound.is_ok());
        versions.insert(pod["metadata"]["resourceVersion"].to_string());
    }
    versions.len()
}

#[tokio::test(start_paused = true)]
async fn pods_are_bound_together_where_the_server_can() {
    let server = || ApiServer::builder().env(Env::simulated(7));
    let (with, without) = (server().transactions().build().await, server().build().await);
    assert_eq!(bind_twenty(with.expect("a server"), None).await, 1);
    assert_eq!(bind_twenty(without.expect("a server"), None).await, 20);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_not_bound_does_not_keep_the_others() {
    let server = ApiServer::builder().env(Env::simulated(7)).transactions().build().await;
    bind_twenty(server.expect("a server"), Some(7)).await;
}

/// Does what it is asked for, and loses the answer to each creation.
struct LosesAnswers(Arc<dyn Client>);

#[async_trait::async_trait]
impl Reader for LosesAnswers {
    async fn get(&self, key: &Key) -> windlass_core::Result<Arc<Object>> {
        self.0.get(key).await
    }

    async fn list(&self, scope: &Scope, o: &ListOptions) -> windlass_core::Result<ObjectList> {
        self.0.list(scope, o).await
    }
}

#[async_trait::async_trait]
impl Watcher for LosesAnswers {
    async fn watch(&self, scope: &Scope, o: &ListOptions) -> windlass_core::Result<WatchStream> {
        self.0.watch(scope, o).await
    }
}

#[async_trait::async_trait]
impl Writer for LosesAnswers {
    async fn create(&self, key: &Key, body: Bytes, o: &WriteOptions) -> Answer {
        self.0.create(key, body, o).await?;
        Err(windlass_core::Error::Transport("the connection broke".into()))
    }

    async fn update(&self, key: &Key, body: Bytes, o: &WriteOptions) -> Answer {
        self.0.update(key, body, o).await
    }

    async fn patch(&self, key: &Key, patch: Patch, o: &WriteOptions) -> Answer {
        self.0.patch(key, patch, o).await
    }

    async fn delete(
        &self,
        key: &Key,
        o: &DeleteOptions,
    ) -> windlass_core::Result<Option<Arc<Object>>> {
        self.0.delete(key, o).await
    }

    async fn delete_collection(
        &self,
        scope: &Scope,
        list: &ListOptions,
        o: &DeleteOptions,
    ) -> windlass_core::Result<()> {
        self.0.delete_collection(scope, list, o).await
    }
}

#[tokio::test(start_paused = true)]
async fn pods_that_were_bound_are_bound_also_when_the_answer_gets_lost() {
    let server = ApiServer::builder().env(Env::simulated(7)).transactions().build().await;
    let client: Arc<dyn Client> =
        Arc::new(LocalClient::new(server.expect("a server"), User::admin()));
    let cluster = Cluster { client: client.clone(), shutdown: Shutdown::new() };
    cluster.create(scheme::NAMESPACES, json!({"metadata": {"name": "ns"}})).await;
    let mut placements = Vec::new();
    for name in ["p", "q"] {
        let spec = json!({"containers": [{"name": "c", "image": "i"}]});
        let pod = json!({"metadata": {"name": name}, "spec": spec});
        placements.push(placement(&cluster.create(scheme::PODS, pod).await));
    }
    let binder = DefaultBinder::new(Arc::new(LosesAnswers(client)));
    for bound in join_all(placements.iter().map(|placement| binder.bind(placement))).await {
        bound.expect("it is on its node");
    }
    placements[0].node = "b".into();
    assert!(binder.bind(&placements[0]).await.is_err(), "it is on another node");
}
