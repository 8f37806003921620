//! Keeps APIServices: those of this server, and what is said of the others.

use super::availability::Verdict;
use super::local::{self, Found, Kept, Step};
use super::service::{AUTOMANAGED, ApiService};
use super::{Aggregator, follow};
use crate::apiextensions::conditions::{self, Condition};
use crate::apiextensions::run_controller;
use crate::registry::{Body, Entry, Own, Write};
use crate::storage::ReadVersion;
use crate::strategy::Map;
use crate::strategy::json::map_mut;
use async_trait::async_trait;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use windlass_core::client::{DeleteOptions, Key, Scope};
use windlass_core::component::Shutdown;
use windlass_core::controller::{Action, Controller, Reconciler};
use windlass_core::meta::{Reason, Status};
use windlass_core::scheme::APISERVICES;

/// How many servers are asked at once.
const WORKERS: usize = 4;
/// After this time a server is asked again even if nothing changed.
const AGAIN: Duration = Duration::from_secs(30);

/// What is to be looked after.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Request {
    /// The APIServices of what this server serves itself.
    Local,
    /// What is said of one.
    Available(String),
}

struct Keeper {
    aggregator: Arc<Aggregator>,
    own: Own,
    started: AtomicBool,
}

/// Knows the servers behind this one from the start, and follows them until shutdown.
///
/// # Errors
/// When APIServices can't be read.
pub(crate) async fn start(aggregator: &Arc<Aggregator>, shutdown: &Shutdown) -> Result<(), Status> {
    let objects = &aggregator.registry.objects;
    if !objects.serves(&APISERVICES) {
        return Ok(());
    }
    for object in objects.list_at(&Scope::all(APISERVICES), ReadVersion::Newest).await? {
        aggregator.routes.apply(&object, &object.view().map_err(Status::internal)?);
    }
    let keeper =
        Keeper { aggregator: aggregator.clone(), own: Own::new(), started: AtomicBool::new(false) };
    let controller = Controller::new("apiservices", keeper).workers(WORKERS);
    let queue = aggregator.queue.get_or_init(|| controller.queue()).clone();
    queue.add(Request::Local);
    let (following, until) = (follow::run(aggregator.clone(), queue), shutdown.clone());
    tokio::spawn(async move { until.run_until_cancelled(following).await });
    run_controller(controller, shutdown.clone());
    Ok(())
}

// === impl Keeper ===

#[async_trait]
impl Reconciler for Keeper {
    type Request = Request;
    type Error = Status;

    async fn reconcile(&self, request: &Request) -> Result<Action, Status> {
        match request {
            Request::Local => self.keep_local().await.map(|()| Action::Done),
            Request::Available(name) => self.keep_available(name).await,
        }
    }
}

impl Keeper {
    async fn keep_local(&self) -> Result<(), Status> {
        let resources = self.aggregator.registry.objects.resources().all();
        let versions = resources.iter().map(|e| (e.info.gvr.group_version(), e.custom.is_some()));
        let wanted = local::wanted(versions);
        let start = !self.started.load(Ordering::Acquire);
        for step in local::plan(&wanted, &self.found().await?, start) {
            let done = match &step {
                Step::Create(name) => self.create(name, wanted[name].object(name)).await,
                Step::Update(name) => self.update(name, wanted[name].parts()).await,
                Step::Delete(name) => self.delete(name).await,
            };
            match done {
                Err(status) if is_settled(&status) => {}
                done => done?,
            }
        }
        self.started.store(true, Ordering::Release);
        Ok(())
    }

    async fn found(&self) -> Result<BTreeMap<String, Found>, Status> {
        let objects = &self.aggregator.registry.objects;
        let all = objects.list_at(&Scope::all(APISERVICES), ReadVersion::Newest).await?;
        let found = all.iter().map(|object| {
            let service: ApiService = object.view().map_err(Status::internal)?;
            let kept = Kept::parse(object.header().label(AUTOMANAGED));
            Ok((object.name().to_owned(), Found { spec: service.spec, kept }))
        });
        found.collect()
    }

    /// Finds out whether a server is there, and says so.
    async fn keep_available(&self, name: &str) -> Result<Action, Status> {
        let Self { aggregator, .. } = self;
        let objects = &aggregator.registry.objects;
        let found = objects.get_at(&Key::cluster(APISERVICES, name), ReadVersion::Newest).await?;
        let Some(object) = found else { return Ok(Action::Done) };
        let service: ApiService = object.view().map_err(Status::internal)?;
        aggregator.routes.apply(&object, &service);
        let Some(route) = aggregator.routes.named(name) else {
            return self.say(name, &service, &Verdict::local()).await.map(|()| Action::Done);
        };
        let (verdict, backend) = aggregator.check(&route).await;
        if let Some(backend) = backend.filter(|_| verdict.available) {
            // Who reads that it is available finds its documents.
            aggregator.fetch_documents(&route, &backend).await;
        }
        self.say(name, &service, &verdict).await?;
        Ok(Action::RequeueAfter(AGAIN))
    }

    async fn say(&self, name: &str, service: &ApiService, verdict: &Verdict) -> Result<(), Status> {
        if verdict.is_said(service.available()) {
            return Ok(());
        }
        let now = self.aggregator.registry.env.clock.now();
        let Verdict { available, reason, message } = verdict;
        let condition = Condition { ty: "Available", holds: *available, reason, message };
        let change = |old: &Map| {
            let mut new = old.clone();
            conditions::set(&mut new, &condition, now);
            new
        };
        self.rewrite(name, "status", change).await
    }

    // === writes ===

    async fn create(&self, name: &str, object: Value) -> Result<(), Status> {
        let entry = self.entry()?;
        let mut write = Write { name: "", ..self.own.write(&entry, name) };
        let body = Body::json(object.to_string().into());
        self.aggregator.registry.create(&mut write, &body).await.map(drop)
    }

    async fn update(&self, name: &str, (spec, labels): (Value, Value)) -> Result<(), Status> {
        let change = |old: &Map| {
            let mut new = old.clone();
            new.insert("spec".into(), spec.clone());
            if let Value::Object(labels) = labels.clone() {
                map_mut(map_mut(&mut new, "metadata"), "labels").extend(labels);
            }
            new
        };
        self.rewrite(name, "", change).await
    }

    async fn delete(&self, name: &str) -> Result<(), Status> {
        let entry = self.entry()?;
        let mut write = self.own.write(&entry, name);
        self.aggregator.registry.delete(&mut write, &DeleteOptions::default()).await.map(drop)
    }

    async fn rewrite(
        &self,
        name: &str,
        subresource: &str,
        change: impl Fn(&Map) -> Map + Send + Sync,
    ) -> Result<(), Status> {
        let entry = self.entry()?;
        let mut write = Write { subresource, ..self.own.write(&entry, name) };
        match self.aggregator.registry.rewrite(&mut write, change).await {
            Err(status) if status.reason == Reason::NotFound => Ok(()),
            written => written.map(drop),
        }
    }

    fn entry(&self) -> Result<Arc<Entry>, Status> {
        self.aggregator.registry.objects.entry(&APISERVICES)
    }
}

/// Somebody else has done it already.
fn is_settled(status: &Status) -> bool {
    matches!(status.reason, Reason::AlreadyExists | Reason::NotFound)
}
