//! A controller of one's own: every Website gets a page in a ConfigMap, and a name in a directory outside the cluster.
//!
//! `cargo run --package windlass-examples --example custom_controller`. `custom_controller_kube.rs` is the same with the
//! `kube` crate; `docs/controllers.md` explains it.

use async_trait::async_trait;
use kube::{CustomResource, CustomResourceExt, Resource};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{collections::BTreeSet, sync::Arc};
use windlass::standalone::{Cluster, Options};
use windlass_core::apis::meta::v1::Condition;
use windlass_core::cache::{Entry, HeaderOnly, Informer, InformerFactory};
use windlass_core::client::{Client, ClientExt, DeleteOptions, Key};
use windlass_core::clock::Env;
use windlass_core::component::{BoxError, Component, Ready, Shutdown};
use windlass_core::controller::{Action, Controller, ObjectKey, Phase, Reconciler, conditions};
use windlass_core::controller::{finalizer, map, predicate};
use windlass_core::scheme::{CONFIGMAPS, CUSTOMRESOURCEDEFINITIONS};
use windlass_core::scheme::{GroupVersionKind, GroupVersionResource};

const KIND: GroupVersionKind = GroupVersionKind::new("example.com", "v1", "Website");
const WEBSITES: GroupVersionResource = GroupVersionResource::new("example.com", "v1", "websites");
const ME: &str = "example.com/website-controller";

#[derive(CustomResource, schemars::JsonSchema, Clone, Debug, Deserialize, Serialize)]
#[kube(group = "example.com", version = "v1", kind = "Website", namespaced, status = "Status")]
struct WebsiteSpec {
    title: String,
}

#[derive(schemars::JsonSchema, Clone, Debug, Default, Deserialize, Serialize)]
struct Status {
    conditions: Vec<Condition>,
}

struct Publisher {
    client: Arc<dyn Client>,
    websites: Arc<Informer<Website>>,
    env: Env,
    /// What lies outside the cluster, and has to be tidied up before a Website may go.
    directory: Arc<Mutex<BTreeSet<String>>>,
}

#[async_trait]
impl Reconciler for Publisher {
    type Request = ObjectKey;
    type Error = BoxError;

    async fn reconcile(&self, request: &ObjectKey) -> Result<Action, BoxError> {
        let Some(site) = self.websites.get(&request.namespace, &request.name) else {
            return Ok(Action::Done);
        };
        let key = Key::new(WEBSITES, &request.namespace, &request.name);
        let work = async |phase| match phase {
            Phase::Apply => self.publish(&key, &site).await,
            Phase::Cleanup => {
                self.directory.lock().remove(&key.name);
                Ok(Action::Done)
            }
        };
        Ok(finalizer(&*self.client, &key, &site.object, ME, work).await?)
    }
}

impl Publisher {
    /// Doing it twice is the same as doing it once.
    async fn publish(&self, key: &Key, site: &Entry<Website>) -> Result<Action, BoxError> {
        self.directory.lock().insert(key.name.clone());
        let meta =
            json!({"name": key.name, "ownerReferences": [site.view.controller_owner_ref(&())]});
        let page = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta,
            "data": {"index.html": format!("<h1>{}</h1>", site.view.spec.title)}});
        let at = Key::new(CONFIGMAPS, site.object.namespace(), &key.name);
        self.client.apply(&at, ME, &page).await?;
        let mut status = site.view.status.clone().unwrap_or_default();
        let (generation, now) = (site.view.metadata.generation, self.env.clock.now());
        let ready = conditions::condition("Ready", true, "Published", "", generation, now);
        if conditions::set(&mut status.conditions, ready) {
            let status = json!({"apiVersion": "example.com/v1", "kind": "Website", "metadata": {"name": key.name}, "status": status});
            self.client.apply(&key.clone().subresource("status"), ME, &status).await?;
        }
        Ok(Action::Done)
    }
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let (cluster, shutdown) = (Cluster::start(Options::in_memory()).await?, Shutdown::new());
    let (client, env) = (cluster.client(), Env::system());
    let informers = InformerFactory::new(client.clone(), shutdown.clone());
    client.create_from(&Key::cluster(CUSTOMRESOURCEDEFINITIONS, ""), &Website::crd()).await?;
    let pages = informers.informer::<HeaderOnly>(CONFIGMAPS);
    let websites = informers.informer::<Website>(WEBSITES);
    websites.synced().wait().await; // From then on the server knows the kind.
    let directory = Arc::<Mutex<BTreeSet<String>>>::default();
    let (outside, all) = (directory.clone(), websites.clone());
    let publisher = Publisher { client: client.clone(), websites: all, env, directory };
    let controller = Controller::new("website", publisher)
        .watch(&websites, predicate::generation_changed, map::itself)
        .watch(&pages, predicate::any, map::controller(KIND));
    tokio::spawn(Box::new(controller).run(Ready::default(), shutdown.clone()));
    let home = Key::new(WEBSITES, "default", "home");
    client.create_from(&home, &Website::new("home", WebsiteSpec { title: "Hi".into() })).await?;
    websites.wait_for(|all| all.get("default", "home")?.view.status.clone()).await;
    assert!(outside.lock().contains("home"));
    client.delete(&home, &DeleteOptions::default()).await?;
    websites.wait_for(|all| all.is_empty().then_some(())).await;
    assert!(outside.lock().is_empty(), "it is tidied up before the object goes");
    shutdown.cancel();
    cluster.stop().await;
    Ok(())
}

#[test]
fn it_works() -> Result<(), BoxError> {
    main()
}
