//! Putting a server together.

use super::{ApiServer, Connect, Connects, Limits};
use crate::admission::{Admission, Chain, NamespaceLifecycle};
use crate::aggregation::{self, Aggregator, Routes};
use crate::apiextensions::{self, Registrar};
use crate::audit::Audit;
use crate::authentication::{Anonymous, Authenticator, OpenId, TokenKeys};
use crate::authorization::{AlwaysAllow, Authorizer};
use crate::endpoints::Documents;
use crate::flowcontrol::FlowControl;
use crate::handler::{Creaters, Handler};
use crate::metrics::Metrics;
use crate::openapi::OpenApi;
use crate::pki::CertificateResolver;
use crate::registry::{
    Creater, Entry, EventLeases, Loopback, Registry, Resources, builtin_creaters,
};
use crate::storage::{Cacher, Kv, store_status};
use crate::strategy::{ServiceConfig, Strategy, allocators};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use windlass_core::apis::apiextensions::v1::CustomResourceDefinition;
use windlass_core::clock::Env;
use windlass_core::component::Shutdown;
use windlass_core::meta::Status;
use windlass_core::scheme::{GroupVersionResource, ResourceInfo, Scheme};
use windlass_store::{Backend, Memory};

/// How long events live when nobody says otherwise.
const EVENT_TTL: Duration = Duration::from_secs(3600);

type AdmissionFactory = Box<dyn FnOnce(&Loopback) -> Arc<dyn Admission> + Send>;
type AuthenticatorFactory = Box<dyn FnOnce(&Loopback) -> Arc<dyn Authenticator> + Send>;
type AuthorizerFactory = Box<dyn FnOnce(&Loopback) -> Arc<dyn Authorizer> + Send>;

/// What a server is made of. All of it has a default: the built-in resources in a memory store, open to everyone.
pub struct Builder {
    store: Option<Arc<dyn Backend>>,
    resources: Option<Vec<Entry>>,
    definitions: Vec<CustomResourceDefinition>,
    env: Option<Env>,
    services: ServiceConfig,
    authenticators: Vec<AuthenticatorFactory>,
    anonymous: Anonymous,
    authorizer: Option<AuthorizerFactory>,
    admission: Vec<AdmissionFactory>,
    creaters: Creaters,
    connects: Connects,
    limits: Limits,
    audit: Option<Arc<Audit>>,
    openid: Option<Arc<TokenKeys>>,
    aggregation: bool,
    front_proxy: Option<CertificateResolver>,
    transactions: bool,
    event_ttl: Duration,
    address: String,
}

// === impl Builder ===

impl Default for Builder {
    fn default() -> Self {
        Self {
            store: None,
            resources: None,
            definitions: Vec::new(),
            env: None,
            services: ServiceConfig::default(),
            authenticators: Vec::new(),
            anonymous: Anonymous::Everywhere,
            authorizer: None,
            admission: Vec::new(),
            creaters: Creaters::default(),
            connects: Connects::default(),
            limits: Limits::default(),
            audit: None,
            openid: None,
            aggregation: false,
            front_proxy: None,
            transactions: false,
            event_ttl: EVENT_TTL,
            address: "127.0.0.1:6443".into(),
        }
    }
}

impl Builder {
    /// Where the objects are. A memory store when none is given.
    #[must_use]
    pub fn store(mut self, store: Arc<dyn Backend>) -> Self {
        self.store = Some(store);
        self
    }

    /// Serves these resources, known or not, instead of all built-in ones.
    #[must_use]
    pub fn resources(mut self, resources: impl IntoIterator<Item = Arc<ResourceInfo>>) -> Self {
        let entries = resources.into_iter().map(Entry::builtin);
        self.resources.get_or_insert_default().extend(entries);
        self
    }

    /// Serves a resource with a strategy of its own.
    #[must_use]
    pub fn resource(mut self, info: Arc<ResourceInfo>, strategy: Arc<dyn Strategy>) -> Self {
        self.resources.get_or_insert_default().push(Entry::custom(info, strategy));
        self
    }

    /// Serves a kind that `#[derive(CustomResource)]` of the `kube` crate describes, beside the built-in ones:
    /// with its schema, rules, defaults, columns, names, `status` and `scale`. To have kinds of one's own only,
    /// begin with `resources([])`.
    #[must_use]
    pub fn kind<K: kube::CustomResourceExt>(self) -> Self {
        self.definition(K::crd())
    }

    /// The same for a kind that is described by a value: one of several versions (see
    /// `kube::core::crd::merge_crds`), or one that is known only when the program runs. No object defines it, and
    /// no CustomResourceDefinition can take its names.
    #[must_use]
    pub fn definition(mut self, definition: CustomResourceDefinition) -> Self {
        self.definitions.push(definition);
        self
    }

    /// Time and chance. The machine's when none are given.
    #[must_use]
    pub fn env(mut self, env: Env) -> Self {
        self.env = Some(env);
        self
    }

    /// What Services are given.
    #[must_use]
    pub fn services(mut self, config: ServiceConfig) -> Self {
        self.services = config;
        self
    }

    /// Recognizes users, after those added before. Of several the first that does decides.
    #[must_use]
    pub fn authenticator(self, authenticator: Arc<dyn Authenticator>) -> Self {
        self.authenticator_with(|_| authenticator)
    }

    /// The same, for one that reads the server's objects.
    #[must_use]
    pub fn authenticator_with(
        mut self,
        make: impl FnOnce(&Loopback) -> Arc<dyn Authenticator> + Send + 'static,
    ) -> Self {
        self.authenticators.push(Box::new(make));
        self
    }

    /// Where one without credentials is `system:anonymous` (everywhere by default): elsewhere he is refused.
    #[must_use]
    pub fn anonymous(mut self, allowed: impl Into<Anonymous>) -> Self {
        self.anonymous = allowed.into();
        self
    }

    /// Decides who may do what. Everyone everything when there is none.
    #[must_use]
    pub fn authorizer(self, authorizer: Arc<dyn Authorizer>) -> Self {
        self.authorizer_with(|_| authorizer)
    }

    /// The same, for one that reads the server's objects.
    #[must_use]
    pub fn authorizer_with(
        mut self,
        make: impl FnOnce(&Loopback) -> Arc<dyn Authorizer> + Send + 'static,
    ) -> Self {
        self.authorizer = Some(Box::new(make));
        self
    }

    /// Adds an admission plugin, after those of its [`crate::admission::Phase`] that were added before.
    /// [`NamespaceLifecycle`] comes first, always.
    #[must_use]
    pub fn admission(self, plugin: Arc<dyn Admission>) -> Self {
        self.admission_with(|_| plugin)
    }

    /// The same, for one that reads the server's objects.
    #[must_use]
    pub fn admission_with(
        mut self,
        make: impl FnOnce(&Loopback) -> Arc<dyn Admission> + Send + 'static,
    ) -> Self {
        self.admission.push(Box::new(make));
        self
    }

    /// Who makes what is posted to a subresource, or (when that is empty) to a resource that keeps nothing.
    #[must_use]
    pub fn creater(
        mut self,
        resource: GroupVersionResource,
        subresource: &'static str,
        creater: Arc<dyn Creater>,
    ) -> Self {
        self.creaters.insert((resource, Cow::Borrowed(subresource)), creater);
        self
    }

    /// Who answers connections to a subresource.
    #[must_use]
    pub fn connect(
        mut self,
        resource: GroupVersionResource,
        subresource: &'static str,
        connect: Arc<dyn Connect>,
    ) -> Self {
        self.connects.insert((resource, Cow::Borrowed(subresource)), connect);
        self
    }

    /// Records who did what.
    #[must_use]
    pub fn audit(mut self, audit: Arc<Audit>) -> Self {
        self.audit = Some(audit);
        self
    }

    /// What clients may take up of it.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Where clients reach the server, as discovery shows it: `10.0.0.1:6443`.
    #[must_use]
    pub fn address(mut self, address: impl Into<String>) -> Self {
        self.address = address.into();
        self
    }

    /// Publishes the public half of the keys that sign service account tokens, for others to check them by.
    #[must_use]
    pub fn openid(mut self, keys: Arc<TokenKeys>) -> Self {
        self.openid = Some(keys);
        self
    }

    /// Passes on what APIServices give to other servers, and keeps an APIService for each group version it serves
    /// itself, if it serves APIServices at all. To the others it shows `front_proxy`: they believe one who has it who
    /// asks (see [`crate::authentication::RequestHeader`]).
    #[must_use]
    pub fn aggregation(mut self, front_proxy: Option<CertificateResolver>) -> Self {
        (self.aggregation, self.front_proxy) = (true, front_proxy);
        self
    }

    /// Serves transactions, see [`windlass_core::client::Transaction`].
    #[must_use]
    pub fn transactions(mut self) -> Self {
        self.transactions = true;
        self
    }

    /// How long events live after they were last written: an hour when nobody says otherwise, for ever when it is
    /// zero. They go when the store ends its leases, and up to a minute later.
    #[must_use]
    pub fn event_ttl(mut self, ttl: Duration) -> Self {
        self.event_ttl = ttl;
        self
    }

    /// Makes the server. Of the store only the definitions of custom resources and APIServices are read, so that
    /// what they say holds from the start; everything else is read when it is first asked for.
    ///
    /// # Errors
    /// When the store can't be watched or read, or a kind of one's own can't be served as it is described.
    pub async fn build(self) -> Result<Arc<ApiServer>, Status> {
        let shutdown = Shutdown::new();
        let backend = self.store.unwrap_or_else(|| {
            let memory = Memory::new();
            tokio::spawn(memory.expiry());
            Arc::new(memory)
        });
        let tasks = Shutdown::new();
        // What is written from now on goes by the rules of now.
        let revision = backend.current_revision().await.map_err(|e| store_status(&e))?;
        let metrics = Metrics::default();
        let kv = Kv::timed(backend.clone(), metrics.store.clone());
        let cacher = Cacher::over(kv, tasks.clone()).await?;
        let resources: Resources = match self.resources {
            Some(entries) => entries.into_iter().collect(),
            None => Scheme::builtin().iter().cloned().map(Entry::builtin).collect(),
        };
        if self.transactions {
            resources.install(Entry::builtin(Arc::new(crate::transaction::resource())));
        }
        let objects = Loopback::new(Arc::new(cacher), Arc::new(resources));
        let lifecycle: Arc<dyn Admission> = Arc::new(NamespaceLifecycle);
        let plugins = self.admission.into_iter().map(|make| make(&objects));
        let admission = Chain::new(std::iter::once(lifecycle).chain(plugins));
        let authorizer =
            self.authorizer.map_or_else(|| Arc::new(AlwaysAllow) as _, |make| make(&objects));
        let authenticators = self.authenticators.into_iter().map(|make| make(&objects)).collect();
        let builtin = builtin_creaters().into_iter();
        let mut creaters: Creaters =
            builtin.map(|(gvr, sub, creater)| ((gvr, Cow::Borrowed(sub)), creater)).collect();
        creaters.extend(self.creaters);
        let env = self.env.unwrap_or_else(Env::system);
        let flow = FlowControl::new(self.limits.flow, env.random.next());
        let registry = Arc::new(Registry {
            admission,
            allocators: allocators(&self.services).into_iter().collect(),
            env,
            event_leases: Arc::new(EventLeases::new(backend.clone(), self.event_ttl)),
            backend,
            objects,
        });
        let openid = self.openid.map(|keys| OpenId::new(&keys, &self.address));
        let objects = &registry.objects;
        let openapi = Arc::new(OpenApi::new(infos(objects.resources())));
        let routes = Arc::new(Routes::new(self.front_proxy));
        let served = objects.resources().clone();
        let documents = Documents::new(served, routes.clone(), openapi.clone(), self.address);
        let mut registrar = Registrar::new(objects.clone(), openapi.clone(), registry.env.clone());
        for definition in &self.definitions {
            registrar.define(definition, revision)?;
        }
        let registrar = Arc::new(registrar);
        apiextensions::start(&registry, &registrar, &tasks).await?;
        crate::admission::start_type_checking(&registry, &tasks);
        let aggregator =
            self.aggregation.then(|| Arc::new(Aggregator::new(registry.clone(), openapi, routes)));
        if let Some(aggregator) = &aggregator {
            aggregation::start(aggregator, &tasks).await?;
        }
        let shutdown_of = shutdown.clone();
        let handler = Handler {
            registry,
            registrar: Some(registrar),
            authorizer,
            creaters,
            flow,
            shutdown: shutdown_of,
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
}

fn infos(resources: &Resources) -> Vec<Arc<ResourceInfo>> {
    resources.all().iter().map(|entry| entry.info.clone()).collect()
}
