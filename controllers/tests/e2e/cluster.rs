//! A control plane without nodes, and words to talk to it.

use futures::StreamExt;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use windlass_api::admission::ResourceQuota;
use windlass_api::authentication::User;
use windlass_api::authorization::{AlwaysAllow, Authorizer, Masters, Rbac, Union};
use windlass_api::bootstrap::bootstrap_roles;
use windlass_api::local::LocalClient;
use windlass_api::reviews::AccessReviews;
use windlass_api::server::ApiServer;
use windlass_controllers::{Context, Settings, registry};
use windlass_core::cache::InformerFactory;
use windlass_core::client::{
    Client, ClientExt, DeleteOptions, Key, ListOptions, Patch, Scope, WatchEvent, WriteOptions,
};
use windlass_core::clock::Env;
use windlass_core::component::{Component, Ready, Shutdown};
use windlass_core::scheme::{self, GroupVersionResource};

/// No test waits longer for something, in virtual time.
const DEADLINE: Duration = Duration::from_secs(900);
pub(crate) const NS: &str = "ns";

pub(crate) struct Cluster {
    pub(crate) client: Arc<dyn Client>,
    context: Context,
    shutdown: Shutdown,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl Cluster {
    /// An API server, the namespace `ns`, and these controllers.
    pub(crate) async fn start(controllers: &[&str]) -> Self {
        Self::with_settings(controllers, Settings::default()).await
    }

    pub(crate) async fn with_settings(controllers: &[&str], settings: Settings) -> Self {
        Self::through(controllers, settings, |client| client).await
    }

    /// The controllers reach the server through what `way` makes of their client.
    pub(crate) async fn through(
        controllers: &[&str],
        settings: Settings,
        way: impl FnOnce(Arc<dyn Client>) -> Arc<dyn Client>,
    ) -> Self {
        let (env, shutdown) = (Env::simulated(7), Shutdown::new());
        let quotas = Arc::new(ResourceQuota::default());
        let rbac = Arc::<Rbac>::default();
        let deciders: [Arc<dyn Authorizer>; 2] = [Arc::new(Masters), rbac.clone()];
        let deciders: Arc<dyn Authorizer> = Arc::new(Union(deciders.into()));
        let builder = ApiServer::builder().env(env.clone()).admission(quotas);
        let mut builder = builder.authorizer(deciders);
        for (resource, subresource, creater) in AccessReviews(Arc::new(AlwaysAllow)).creaters() {
            builder = builder.creater(resource, subresource, creater);
        }
        let server = builder.build().await.expect("a server");
        let client: Arc<dyn Client> = Arc::new(LocalClient::new(server.clone(), User::admin()));
        // The controllers have the rights of the controller manager, and no others.
        bootstrap_roles(&*client).await.expect("the default roles");
        for synced in rbac.follow(&InformerFactory::new(client.clone(), shutdown.clone())) {
            synced.wait().await;
        }
        let manager = LocalClient::new(server, User::new("system:kube-controller-manager", []));
        let context = Context::new(way(Arc::new(manager)), env, shutdown.clone());
        let context = context.with_settings(settings);
        let cluster = Self { client, context: context.clone(), shutdown };
        cluster.create(scheme::NAMESPACES, json!({"metadata": {"name": NS}})).await;
        let started = registry::start(&context, |name| controllers.contains(&name));
        assert_eq!(
            started.len(),
            controllers.len(),
            "a name is not in the registry: {controllers:?}"
        );
        cluster.run_all(started).await;
        cluster
    }

    /// Runs one more, which is in no registry.
    pub(crate) async fn run(&self, make: impl FnOnce(&Context) -> Box<dyn Component>) {
        self.run_all(vec![make(&self.context)]).await;
    }

    async fn run_all(&self, components: Vec<Box<dyn Component>>) {
        let mut readies = vec![];
        for component in components {
            let ready = Ready::default();
            readies.push(ready.clone());
            tokio::spawn(component.run(ready, self.shutdown.clone()));
        }
        for ready in readies {
            tokio::time::timeout(DEADLINE, ready.wait()).await.expect("the controllers get ready");
        }
    }

    pub(crate) async fn create(&self, resource: GroupVersionResource, object: Value) -> Value {
        let namespaced = scheme::Scheme::builtin().by_gvr(&resource).expect("built in").namespaced;
        let key = Key::new(resource, if namespaced { NS } else { "" }, "");
        self.client
            .create_from(&key, &object)
            .await
            .unwrap_or_else(|error| panic!("{object}: {error}"))
            .view()
            .unwrap()
    }

    pub(crate) async fn patch(&self, key: &Key, patch: Value) -> Value {
        let done = self.client.patch(key, Patch::merge(&patch), &WriteOptions::default()).await;
        done.unwrap_or_else(|error| panic!("{key}: {error}")).view().unwrap()
    }

    pub(crate) async fn delete(&self, key: &Key, options: DeleteOptions) {
        self.client.delete(key, &options).await.unwrap_or_else(|error| panic!("{key}: {error}"));
    }

    pub(crate) async fn list(&self, resource: GroupVersionResource, labels: &str) -> Vec<Value> {
        let options = ListOptions { label_selector: labels.into(), ..ListOptions::default() };
        let list = self.client.list(&Scope::all(resource), &options).await.unwrap();
        list.items.iter().map(|object| object.view().unwrap()).collect()
    }

    /// Waits until the objects of a resource are as wanted; they are looked at after each change of one of them.
    pub(crate) async fn until(
        &self,
        what: &str,
        resource: GroupVersionResource,
        labels: &str,
        wanted: impl Fn(&[Value]) -> bool,
    ) -> Vec<Value> {
        let seen = std::sync::Mutex::new(vec![]);
        let wait = async {
            let mut events = self
                .client
                .watch(&Scope::all(resource.clone()), &ListOptions::default())
                .await
                .unwrap();
            loop {
                let all = self.list(resource.clone(), labels).await;
                if wanted(&all) {
                    return all;
                }
                seen.lock().unwrap().clone_from(&all);
                events.next().await.expect("the watch goes on").unwrap();
            }
        };
        match tokio::time::timeout(DEADLINE, wait).await {
            Ok(all) => all,
            Err(_) => {
                panic!("{what}: waited in vain; last seen {:#}", json!(*seen.lock().unwrap()))
            }
        }
    }

    /// Waits until there are so many, and they are not about to go.
    pub(crate) async fn until_count(
        &self,
        resource: GroupVersionResource,
        labels: &str,
        count: usize,
    ) -> Vec<Value> {
        let what = format!("{count} of {resource}");
        self.until(&what, resource, labels, |all| {
            all.len() == count
                && all.iter().all(|one| one["metadata"]["deletionTimestamp"].is_null())
        })
        .await
    }

    /// Waits until all objects of a resource are gone or about to go.
    pub(crate) async fn until_deleting(&self, resource: GroupVersionResource) {
        let goes =
            |all: &[Value]| all.iter().all(|one| !one["metadata"]["deletionTimestamp"].is_null());
        self.until("deletion", resource, "", goes).await;
    }

    /// The time, as all parts have it.
    pub(crate) fn now(&self) -> jiff::Timestamp {
        self.context.env.clock.now()
    }

    /// Lets time pass.
    pub(crate) async fn pass(&self, seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    /// Makes pods run and be ready, as an agent would, until the cluster ends.
    pub(crate) fn run_pods(&self) {
        let (client, shutdown) = (self.client.clone(), self.shutdown.clone());
        tokio::spawn(async move { shutdown.run_until_cancelled(act_as_agent(client)).await });
    }
}

async fn act_as_agent(client: Arc<dyn Client>) {
    let mut events =
        client.watch(&Scope::all(scheme::PODS), &ListOptions::default()).await.unwrap();
    while let Some(batch) = events.next().await {
        for event in batch.unwrap() {
            let (WatchEvent::Added(pod) | WatchEvent::Modified(pod)) = event else { continue };
            let view: Value = pod.view().unwrap();
            let key = Key::new(scheme::PODS, pod.namespace(), pod.name());
            if pod.header().deleting {
                let now =
                    DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() };
                client.delete(&key, &now).await.ok();
            } else if view["status"]["phase"] == "Pending" || view["status"]["phase"].is_null() {
                let status = running(view["metadata"]["name"].as_str().unwrap());
                let patch = Patch::merge(&json!({"status": status}));
                client
                    .patch(&key.subresource("status"), patch, &WriteOptions::default())
                    .await
                    .ok();
            }
        }
    }
}

fn running(name: &str) -> Value {
    let number = name.bytes().fold(1_u32, |sum, byte| (sum * 31 + u32::from(byte)) % 250) + 1;
    let ip = format!("10.1.0.{number}");
    json!({"phase": "Running", "startTime": "2025-12-31T00:00:00Z", "podIP": ip, "podIPs": [{"ip": ip}],
        "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}]})
}

/// A workload of pods labelled `app`.
pub(crate) fn workload(name: &str, spec: Value) -> Value {
    let mut object = json!({"metadata": {"name": name}, "spec": {"selector": {"matchLabels": {"app": name}}, "template": template(name, "x:1")}});
    for (key, value) in spec.as_object().unwrap() {
        object["spec"][key] = value.clone();
    }
    object
}

pub(crate) fn template(app: &str, image: &str) -> Value {
    json!({"metadata": {"labels": {"app": app}}, "spec": {"containers": [{"name": "c", "image": image}]}})
}

pub(crate) fn key(resource: GroupVersionResource, name: &str) -> Key {
    let namespaced = scheme::Scheme::builtin().by_gvr(&resource).expect("built in").namespaced;
    Key::new(resource, if namespaced { NS } else { "" }, name)
}
