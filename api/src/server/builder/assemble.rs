//! From what a server is made of to the server.

use super::Builder;
use crate::admission::{Admission, Chain, NamespaceLifecycle};
use crate::aggregation::{self, Aggregator, Routes};
use crate::apiextensions::{self, Registrar};
use crate::authentication::OpenId;
use crate::authorization::{AlwaysAllow, Authorizer};
use crate::endpoints::Documents;
use crate::flowcontrol::FlowControl;
use crate::handler::{Creaters, Handler};
use crate::metrics::Metrics;
use crate::metrics::admission::AdmissionMetrics;
use crate::openapi::{CustomKind, OpenApi};
use crate::registry::{Entry, EventLeases, Loopback, Registry, Resources, builtin_creaters};
use crate::server::ApiServer;
use crate::storage::{Cacher, Kv, store_status};
use crate::strategy::allocators;
use std::borrow::Cow;
use std::sync::Arc;
use tokio::sync::Semaphore;
use windlass_core::clock::Env;
use windlass_core::component::Shutdown;
use windlass_core::meta::Status;
use windlass_core::scheme::Scheme;
use windlass_store::{Backend, Memory};

/// What knows the kinds that are served beside the built-in ones.
struct Extensions {
    registrar: Arc<Registrar>,
    aggregator: Option<Arc<Aggregator>>,
    documents: Documents,
}

// === impl Builder ===

impl Builder {
    /// Makes the server. Of the store only the definitions of custom resources and APIServices are read, so that
    /// what they say holds from the start; everything else is read when it is first asked for.
    ///
    /// # Errors
    /// When the store can't be watched or read, or a kind of one's own can't be served as it is described.
    pub async fn build(mut self) -> Result<Arc<ApiServer>, Status> {
        let (tasks, shutdown) = (Shutdown::new(), Shutdown::new());
        let backend = self.store.take().unwrap_or_else(memory);
        // What is written from now on goes by the rules of now.
        let revision = backend.current_revision().await.map_err(|e| store_status(&e))?;
        let metrics = Arc::new(Metrics::default());
        let kv = Kv::timed(backend.clone(), metrics.store.clone());
        let cacher = Cacher::over(kv, tasks.clone()).await?;
        let objects = Loopback::new(Arc::new(cacher), Arc::new(self.served()));
        let authorizer = self.decider(&objects);
        let authenticators = std::mem::take(&mut self.authenticators);
        let authenticators = authenticators.into_iter().map(|make| make(&objects)).collect();
        let registry = self.registry(objects, backend, metrics.admission.clone());
        let tidying = metrics.clone().tidy(registry.objects.resources().clone());
        let until = tasks.clone();
        tokio::spawn(async move { until.run_until_cancelled(tidying).await });
        let openid = self.openid.take().map(|keys| OpenId::new(&keys, &self.address));
        let Extensions { registrar, aggregator, documents } =
            self.extensions(&registry, revision, &tasks).await?;
        let handler = Handler {
            flow: FlowControl::new(self.limits.flow, registry.env.random.next()),
            registry,
            registrar: Some(registrar),
            authorizer,
            creaters: self.creaters(),
            shutdown: shutdown.clone(),
        };
        Ok(Arc::new(ApiServer {
            handler,
            aggregator,
            authenticators,
            anonymous: self.anonymous,
            connects: self.connects,
            documents,
            openid,
            metrics,
            audit: self.audit,
            in_flight: Semaphore::new(self.limits.requests),
            limits: self.limits,
            stopping: Shutdown::new(),
            refusing: Shutdown::new(),
            shutdown,
            _tasks: tasks.drop_guard(),
        }))
    }

    /// The resources that are served without a definition.
    fn served(&mut self) -> Resources {
        let resources: Resources = match self.resources.take() {
            Some(entries) => entries.into_iter().collect(),
            None => Scheme::builtin().iter().cloned().map(Entry::builtin).collect(),
        };
        self.observed.drain(..).for_each(|entry| resources.install(entry));
        if self.transactions {
            resources.install(Entry::builtin(Arc::new(crate::transaction::resource())));
        }
        resources
    }

    fn decider(&mut self, objects: &Loopback) -> Arc<dyn Authorizer> {
        let make = self.authorizer.take();
        make.map_or_else(|| Arc::new(AlwaysAllow) as _, |make| make(objects))
    }

    fn creaters(&mut self) -> Creaters {
        let builtin = builtin_creaters().into_iter();
        let mut creaters: Creaters =
            builtin.map(|(gvr, sub, creater)| ((gvr, Cow::Borrowed(sub)), creater)).collect();
        creaters.extend(std::mem::take(&mut self.creaters));
        creaters
    }

    fn registry(
        &mut self,
        objects: Loopback,
        backend: Arc<dyn Backend>,
        metrics: AdmissionMetrics,
    ) -> Arc<Registry> {
        let lifecycle: Arc<dyn Admission> = Arc::new(NamespaceLifecycle);
        let plugins = std::mem::take(&mut self.admission);
        let plugins = plugins.into_iter().map(|make| make(&objects));
        Arc::new(Registry {
            admission: Chain::new(std::iter::once(lifecycle).chain(plugins)),
            allocators: allocators(&self.services).into_iter().collect(),
            env: self.env.take().unwrap_or_else(Env::system),
            event_leases: Arc::new(EventLeases::new(backend.clone(), self.event_ttl)),
            backend,
            objects,
            metrics,
            staged: false,
        })
    }

    async fn extensions(
        &mut self,
        registry: &Arc<Registry>,
        revision: u64,
        tasks: &Shutdown,
    ) -> Result<Extensions, Status> {
        let objects = &registry.objects;
        let openapi = Arc::new(openapi(objects.resources()));
        let routes = Arc::new(Routes::new(self.front_proxy.take()));
        let (served, address) = (objects.resources().clone(), std::mem::take(&mut self.address));
        let documents = Documents::new(served, routes.clone(), openapi.clone(), address);
        let mut registrar = Registrar::new(objects.clone(), openapi.clone(), registry.env.clone());
        for definition in &self.definitions {
            registrar.define(definition, revision)?;
        }
        let registrar = Arc::new(registrar);
        apiextensions::start(registry, &registrar, tasks).await?;
        crate::admission::start_type_checking(registry, tasks);
        let aggregator =
            self.aggregation.then(|| Arc::new(Aggregator::new(registry.clone(), openapi, routes)));
        if let Some(aggregator) = &aggregator {
            aggregation::start(aggregator, tasks).await?;
        }
        Ok(Extensions { registrar, aggregator, documents })
    }
}

fn memory() -> Arc<dyn Backend> {
    let memory = Memory::new();
    tokio::spawn(memory.expiry());
    Arc::new(memory)
}

/// The documents of what is served without a definition.
fn openapi(resources: &Resources) -> OpenApi {
    let all = resources.all();
    let (observed, kept): (Vec<_>, Vec<_>) = all.iter().partition(|entry| entry.observer.is_some());
    let openapi = OpenApi::new(kept.iter().map(|entry| entry.info.clone()).collect());
    for entry in observed {
        let info = entry.info.clone();
        let schema = entry.observer.as_ref().and_then(|observer| observer.schema());
        openapi.put(CustomKind { list_kind: info.list_kind(), info, schema });
    }
    openapi
}
