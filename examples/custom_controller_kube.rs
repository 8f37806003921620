//! The controller of `custom_controller.rs`, written with the `kube` crate: what is written for Kubernetes works on
//! Windlass, in the same process too.
//!
//! `cargo run --package windlass-examples --example custom_controller_kube`

use futures::StreamExt;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use kube::runtime::controller::{Action, Controller};
use kube::runtime::finalizer::{Error as FinalizerError, Event, finalizer};
use kube::runtime::wait::{await_condition, conditions};
use kube::runtime::watcher;
use kube::{Client, CustomResource, CustomResourceExt, Resource, ResourceExt};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use windlass::standalone::{Cluster, Options};
use windlass_core::apis::apiextensions::v1::CustomResourceDefinition;
use windlass_core::apis::core::v1::ConfigMap;
use windlass_core::apis::meta::v1::Condition;
use windlass_core::clock::Env;
use windlass_core::component::BoxError;
use windlass_core::controller::conditions as status_conditions;

const ME: &str = "website-controller";

#[derive(CustomResource, schemars::JsonSchema, Clone, Debug, Deserialize, Serialize)]
#[kube(group = "example.com", version = "v1", kind = "Website", namespaced)]
#[kube(status = "WebsiteStatus")]
struct WebsiteSpec {
    title: String,
}

#[derive(schemars::JsonSchema, Clone, Debug, Default, Deserialize, Serialize)]
struct WebsiteStatus {
    #[serde(default)]
    conditions: Vec<Condition>,
}

struct Publisher {
    client: Client,
    env: Env,
    directory: Mutex<BTreeSet<String>>,
}

async fn reconcile(
    site: Arc<Website>,
    publisher: Arc<Publisher>,
) -> Result<Action, FinalizerError<kube::Error>> {
    let namespace = site.namespace().unwrap_or_default();
    let sites = Api::<Website>::namespaced(publisher.client.clone(), &namespace);
    finalizer(&sites, "example.com/directory", site, |event| async {
        match event {
            Event::Apply(site) => publish(&publisher, &sites, &site).await,
            Event::Cleanup(site) => {
                publisher.directory.lock().remove(&site.name_any());
                Ok(Action::await_change())
            }
        }
    })
    .await
}

async fn publish(
    publisher: &Publisher,
    sites: &Api<Website>,
    site: &Website,
) -> Result<Action, kube::Error> {
    let (name, params) = (site.name_any(), PatchParams::apply(ME).force());
    publisher.directory.lock().insert(name.clone());
    let pages = Api::<ConfigMap>::namespaced(
        publisher.client.clone(),
        &site.namespace().unwrap_or_default(),
    );
    let page = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "ownerReferences": [site.controller_owner_ref(&())]},
        "data": {"index.html": format!("<h1>{}</h1>", site.spec.title)}});
    pages.patch(&name, &params, &Patch::Apply(page)).await?;
    let mut status = site.status.clone().unwrap_or_default();
    let (generation, now) = (site.metadata.generation, publisher.env.clock.now());
    let ready = status_conditions::condition("Ready", true, "Published", "", generation, now);
    if status_conditions::set(&mut status.conditions, ready) {
        let status = json!({"apiVersion": "example.com/v1", "kind": "Website", "status": status});
        sites.patch_status(&name, &params, &Patch::Apply(status)).await?;
    }
    Ok(Action::await_change())
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let cluster = Cluster::start(Options::in_memory()).await?;
    let client = cluster.kube_client();
    let definitions = Api::<CustomResourceDefinition>::all(client.clone());
    definitions.create(&PostParams::default(), &Website::crd()).await?;
    let established = conditions::is_crd_established();
    await_condition(definitions, Website::crd_name(), established).await?;

    let (env, directory) = (Env::system(), Mutex::default());
    let publisher = Arc::new(Publisher { client: client.clone(), env, directory });
    let (all, pages) = (Api::<Website>::all(client.clone()), Api::<ConfigMap>::all(client.clone()));
    let retry = |_, error: &_, _| {
        eprintln!("will try again: {error}");
        Action::requeue(Duration::from_secs(1))
    };
    let controller = Controller::new(all, watcher::Config::default())
        .owns(pages, watcher::Config::default())
        .run(reconcile, retry, publisher.clone())
        .for_each(|_| async {});
    let running = tokio::spawn(controller);

    let sites = Api::<Website>::default_namespaced(client.clone());
    let home = Website::new("home", WebsiteSpec { title: "Hi".into() });
    let home = sites.create(&PostParams::default(), &home).await?;
    let is_ready = |site: Option<&Website>| {
        let status = site.and_then(|site| site.status.as_ref());
        status.is_some_and(|status| status_conditions::is_true(&status.conditions, "Ready"))
    };
    await_condition(sites.clone(), "home", is_ready).await?;
    println!("in the directory: {:?}", publisher.directory.lock());
    assert!(publisher.directory.lock().contains("home"));
    sites.delete("home", &DeleteParams::default()).await?;
    let uid = home.metadata.uid.unwrap_or_default();
    await_condition(sites, "home", conditions::is_deleted(&uid)).await?;
    assert!(publisher.directory.lock().is_empty(), "it is tidied up before the object goes");
    running.abort();
    cluster.stop().await;
    Ok(())
}

#[test]
fn it_works() -> Result<(), BoxError> {
    main()
}
