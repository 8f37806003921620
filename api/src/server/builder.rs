//! Putting a server together.

mod assemble;

use super::{Connect, Connects, Limits};
use crate::admission::Admission;
use crate::audit::Audit;
use crate::authentication::{Anonymous, Authenticator, TokenKeys};
use crate::authorization::Authorizer;
use crate::handler::Creaters;
use crate::pki::CertificateResolver;
use crate::registry::{Creater, Entry, Loopback, Observer};
use crate::strategy::{ServiceConfig, Strategy};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;
use windlass_core::apis::apiextensions::v1::CustomResourceDefinition;
use windlass_core::clock::Env;
use windlass_core::scheme::{GroupVersionResource, ResourceInfo};
use windlass_store::Backend;

/// How long events live when nobody says otherwise.
const EVENT_TTL: Duration = Duration::from_secs(3600);

type AdmissionFactory = Box<dyn FnOnce(&Loopback) -> Arc<dyn Admission> + Send>;
type AuthenticatorFactory = Box<dyn FnOnce(&Loopback) -> Arc<dyn Authenticator> + Send>;
type AuthorizerFactory = Box<dyn FnOnce(&Loopback) -> Arc<dyn Authorizer> + Send>;

/// What a server is made of. All of it has a default: the built-in resources in a memory store, open to everyone.
pub struct Builder {
    store: Option<Arc<dyn Backend>>,
    resources: Option<Vec<Entry>>,
    observed: Vec<Entry>,
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
            observed: Vec::new(),
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

    /// Serves a resource that nothing keeps, beside the others: `observer` is asked for its objects.
    #[must_use]
    pub fn observer(mut self, info: Arc<ResourceInfo>, observer: Arc<dyn Observer>) -> Self {
        self.observed.push(Entry::observed(info, observer));
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
    /// [`NamespaceLifecycle`](crate::admission::NamespaceLifecycle) comes first, always.
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
}
