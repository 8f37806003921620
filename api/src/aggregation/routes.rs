//! The servers behind this one: who serves which group version.

use super::service::{ApiService, ServiceReference, Spec};
use crate::nodes::tls;
use crate::pki::CertificateResolver;
use crate::webhook::system_authorities;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use parking_lot::RwLock;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::sync::{OnceCell, watch};
use tokio_rustls::TlsConnector;
use windlass_core::Object;
use windlass_core::scheme::{GroupVersion, GroupVersionResource, ResourceInfo};

/// All servers behind this one. Cheap to ask, from any task.
#[derive(Default)]
pub(crate) struct Routes {
    /// Shown to the others: only to one who has it they listen when he says who asks.
    own: Option<CertificateResolver>,
    table: RwLock<BTreeMap<GroupVersion, Arc<Route>>>,
    any: watch::Sender<bool>,
}

/// A group version that another server serves.
pub(crate) struct Route {
    pub(super) name: String,
    pub(super) version: GroupVersion,
    pub(super) reference: ServiceReference,
    spec: Spec,
    own: Option<CertificateResolver>,
    tls: OnceCell<TlsConnector>,
    available: AtomicBool,
    /// Endpoints take turns.
    turn: AtomicUsize,
    /// None until it has said what it serves.
    resources: RwLock<Option<Vec<Arc<ResourceInfo>>>>,
    /// Of its OpenAPI document.
    pub(super) etag: RwLock<Option<String>>,
}

// === impl Routes ===

impl Routes {
    /// None yet. `own` is the certificate to show them.
    pub(crate) fn new(own: Option<CertificateResolver>) -> Self {
        Self { own, ..Self::default() }
    }

    /// Who serves what lies under a path: `/apis/GROUP/VERSION/…`.
    pub(super) fn find(&self, path: &str) -> Option<Arc<Route>> {
        let table = self.table.read();
        if table.is_empty() {
            return None;
        }
        let mut segments = path.strip_prefix("/apis/")?.splitn(3, '/').map(str::to_owned);
        let (group, version) = (segments.next()?.into(), segments.next()?.into());
        table.get(&GroupVersion { group, version }).cloned()
    }

    /// Whether another server serves a group version.
    pub(super) fn has(&self, gvr: &GroupVersionResource) -> bool {
        let table = self.table.read();
        table.keys().any(|known| known.group == gvr.group && known.version == gvr.version)
    }

    /// The one of an APIService, by its name.
    pub(super) fn named(&self, name: &str) -> Option<Arc<Route>> {
        self.table.read().values().find(|route| route.name == name).cloned()
    }

    /// The names of all their APIServices.
    pub(super) fn names(&self) -> BTreeSet<String> {
        self.table.read().values().map(|route| route.name.clone()).collect()
    }

    /// The names of the APIServices that lead to a Service.
    pub(super) fn to(&self, namespace: &str, service: &str) -> Vec<String> {
        let table = self.table.read();
        let meant = table.values().filter(|route| {
            route.reference.name == service && route.reference.namespace == namespace
        });
        meant.map(|route| route.name.clone()).collect()
    }

    /// Goes by an APIService as it is now. Whether that changes where requests go.
    pub(super) fn apply(&self, object: &Object, service: &ApiService) -> bool {
        let version = service.spec.group_version();
        let Some(reference) = &service.spec.service else { return self.remove(object.name()) };
        let mut table = self.table.write();
        if table.get(&version).is_some_and(|known| known.spec == service.spec) {
            return false;
        }
        let before = table.remove(&version);
        let resources = before.and_then(|route| route.resources());
        let route = Route {
            name: object.name().to_owned(),
            version: version.clone(),
            reference: reference.clone(),
            spec: service.spec.clone(),
            own: self.own.clone(),
            tls: OnceCell::new(),
            available: AtomicBool::new(service.is_available()),
            turn: AtomicUsize::new(0),
            resources: RwLock::new(resources),
            etag: RwLock::default(),
        };
        table.insert(version, Arc::new(route));
        self.any.send_replace(true);
        true
    }

    /// Forgets an APIService that is gone, or local now. Whether it was known.
    pub(super) fn remove(&self, name: &str) -> bool {
        let mut table = self.table.write();
        let before = table.len();
        table.retain(|_, route| route.name != name);
        self.any.send_replace(!table.is_empty());
        table.len() != before
    }

    /// Tells when there are any, and when there are none.
    pub(super) fn any(&self) -> watch::Receiver<bool> {
        self.any.subscribe()
    }

    /// Whether another server serves a group version and has not said what so far.
    pub(super) fn is_silent(&self, version: &GroupVersion) -> bool {
        self.table.read().get(version).is_some_and(|route| route.resources().is_none())
    }

    /// What discovery shows: these resources but for those of group versions that others serve, and those of the others.
    pub(crate) fn merged(&self, mut own: Vec<Arc<ResourceInfo>>) -> Vec<Arc<ResourceInfo>> {
        let table = self.table.read();
        if !table.is_empty() {
            own.retain(|info| !table.contains_key(&info.gvr.group_version()));
            own.extend(table.values().filter_map(|route| route.resources()).flatten());
        }
        own
    }
}

// === impl Route ===

impl Route {
    pub(super) fn is_available(&self) -> bool {
        self.available.load(Ordering::Acquire)
    }

    pub(super) fn set_available(&self, available: bool) {
        self.available.store(available, Ordering::Release);
    }

    pub(super) fn turn(&self) -> usize {
        self.turn.fetch_add(1, Ordering::Relaxed)
    }

    fn resources(&self) -> Option<Vec<Arc<ResourceInfo>>> {
        self.resources.read().clone()
    }

    /// What it serves; whether that is new.
    pub(super) fn set_resources(&self, resources: Vec<Arc<ResourceInfo>>) -> bool {
        let mut known = self.resources.write();
        let resources = Some(resources);
        let changed = *known != resources;
        *known = resources;
        changed
    }

    /// How it proves who it is, and this server who asks.
    pub(super) async fn tls(&self) -> Result<&TlsConnector, String> {
        self.tls.get_or_try_init(|| self.connector()).await
    }

    async fn connector(&self) -> Result<TlsConnector, String> {
        fn text(error: impl Display) -> String {
            error.to_string()
        }
        let own = self.own.as_ref();
        if self.spec.insecure_skip_tls_verify {
            return tls::unverified(own).map_err(text);
        }
        let pem = match self.spec.ca_bundle.as_deref().filter(|bundle| !bundle.is_empty()) {
            Some(bundle) => {
                String::from_utf8(STANDARD.decode(bundle).map_err(text)?).map_err(text)?
            }
            None => system_authorities().await.map_err(text)?,
        };
        tls::verified(own, &pem).map_err(text)
    }
}
