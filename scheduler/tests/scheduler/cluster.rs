//! A cluster in this process, in virtual time.

use futures::StreamExt;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use windlass_api::authentication::User;
use windlass_api::local::LocalClient;
use windlass_api::server::ApiServer;
use windlass_core::cache::InformerFactory;
use windlass_core::client::{
    Client, ClientExt, DeleteOptions, Key, ListOptions, Patch, Scope, WatchEvent, WriteOptions,
};
use windlass_core::clock::Env;
use windlass_core::component::{Component, Ready, Shutdown};
use windlass_core::events::Recorder;
use windlass_core::scheme::{self, GroupVersionResource};
use windlass_scheduler::Scheduler;
use windlass_scheduler::framework::Profiles;

/// In virtual time.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) struct Cluster {
    pub(crate) client: Arc<dyn Client>,
    pub(crate) shutdown: Shutdown,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl Cluster {
    /// A server alone.
    pub(crate) async fn server(seed: u64) -> Self {
        let server = ApiServer::builder().env(Env::simulated(seed)).transactions();
        let server = server.build().await.expect("a server");
        let client: Arc<dyn Client> = Arc::new(LocalClient::new(server, User::admin()));
        let cluster = Self { client, shutdown: Shutdown::new() };
        cluster.create(scheme::NAMESPACES, json!({"metadata": {"name": "ns"}})).await;
        cluster
    }

    pub(crate) async fn start() -> Self {
        Self::start_over(|client| client).await
    }

    /// With a scheduler whose way to the server is another one.
    pub(crate) async fn start_over(way: impl FnOnce(Arc<dyn Client>) -> Arc<dyn Client>) -> Self {
        let cluster = Self::server(7).await;
        let scheduler = scheduler(way(cluster.client.clone()), &cluster.shutdown, 7, None);
        let ready = Ready::default();
        tokio::spawn(Box::new(scheduler).run(ready.clone(), cluster.shutdown.clone()));
        tokio::time::timeout(DEADLINE, ready.wait()).await.expect("the scheduler gets ready");
        cluster
    }

    pub(crate) async fn create(&self, resource: GroupVersionResource, object: Value) -> Value {
        let namespaced = scheme::Scheme::builtin().by_gvr(&resource).expect("built in").namespaced;
        let key = Key::new(resource, if namespaced { "ns" } else { "" }, "");
        let made = self.client.create_from(&key, &object).await;
        made.unwrap_or_else(|error| panic!("{object}: {error}")).view().expect("JSON")
    }

    pub(crate) async fn add_node(&self, name: &str, cpu: &str) {
        self.create(scheme::NODES, json!({"metadata": {"name": name}})).await;
        let amounts = json!({"cpu": cpu, "memory": "8Gi", "pods": "110"});
        let status = json!({"status": {"allocatable": amounts, "capacity": amounts}});
        let key = Key::cluster(scheme::NODES, name).subresource("status");
        let patched =
            self.client.patch(&key, Patch::merge(&status), &WriteOptions::default()).await;
        patched.expect("a status");
    }

    pub(crate) async fn patch(&self, key: &Key, patch: Value) {
        let patched = self.client.patch(key, Patch::merge(&patch), &WriteOptions::default()).await;
        patched.unwrap_or_else(|error| panic!("{key}: {error}"));
    }

    pub(crate) async fn label_node(&self, name: &str, label: &str, value: &str) {
        let key = Key::cluster(scheme::NODES, name);
        self.patch(&key, json!({"metadata": {"labels": {label: value}}})).await;
    }

    pub(crate) async fn add_pod(&self, name: &str, spec: Value) {
        let mut all = json!({"containers": [{"name": "c", "image": "i",
            "resources": {"requests": {"cpu": "1"}}}]});
        all.as_object_mut()
            .expect("an object")
            .extend(spec.as_object().expect("an object").clone());
        self.create(scheme::PODS, json!({"metadata": {"name": name}, "spec": all})).await;
    }

    pub(crate) async fn delete_pod(&self, name: &str) {
        let now = DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() };
        let gone = self.client.delete(&Key::new(scheme::PODS, "ns", name), &now).await;
        gone.expect("it was there");
    }

    /// The first object of a resource, there already or to come, that is as wanted.
    pub(crate) async fn find(
        &self,
        resource: GroupVersionResource,
        wanted: impl Fn(&Value) -> bool,
    ) -> Value {
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

    pub(crate) async fn bound(&self, name: &str) -> String {
        let bound =
            |pod: &Value| pod["metadata"]["name"] == name && pod["spec"]["nodeName"].is_string();
        let pod = self.find(scheme::PODS, bound).await;
        let scheduled = condition(&pod).expect("the binding says it");
        assert_eq!((&scheduled["status"], &scheduled["reason"]), (&json!("True"), &Value::Null));
        pod["spec"]["nodeName"].as_str().expect("bound").to_owned()
    }

    pub(crate) async fn event(&self, reason: &str, pod: &str) -> Value {
        let about =
            |event: &Value| event["reason"] == reason && event["involvedObject"]["name"] == pod;
        self.find(scheme::EVENTS, about).await
    }

    /// The condition with which the scheduler says that a pod got no node.
    pub(crate) async fn refused(&self, name: &str) -> Value {
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

/// A scheduler with these profiles, or the default one.
pub(crate) fn scheduler(
    client: Arc<dyn Client>,
    shutdown: &Shutdown,
    seed: u64,
    profiles: Option<Profiles>,
) -> Scheduler {
    let env = Env::simulated(seed);
    let informers = InformerFactory::new(client.clone(), shutdown.clone());
    let recorder = Recorder::new(client, env.clone(), "default-scheduler", "", shutdown.clone());
    let builder = Scheduler::builder(informers, recorder, env);
    match profiles {
        Some(profiles) => builder.profiles(profiles).build(),
        None => builder.build(),
    }
}
