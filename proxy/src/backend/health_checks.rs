//! Health-check node ports: how an external load balancer learns which nodes have endpoints.
//!
//! A Service of type `LoadBalancer` with `externalTrafficPolicy: Local` has a `healthCheckNodePort`,
//! on which each node tells how many of its endpoints run there: 200 with some, 503 without.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use rustc_hash::{FxHashMap, FxHashSet};
use tokio_util::task::AbortOnDropHandle;

use super::{Backend, BackendError, Change};
use crate::health::http::{self, Answer, Answers};
use crate::model::{NamespacedName, PortKey, ServicePort};

/// Serves health-check node ports beside what another backend does.
///
/// A port that cannot be bound is reported in the log and tried again when its Service changes;
/// it does not keep rules from being carried out.
#[derive(Debug)]
pub struct HealthChecks<B> {
    inner: B,
    address: IpAddr,
    healthy: Arc<AtomicBool>,
    ports: FxHashMap<PortKey, Arc<ServicePort>>,
    services: FxHashMap<NamespacedName, FxHashSet<PortKey>>,
    checks: BTreeMap<NamespacedName, Check>,
}

#[derive(Debug)]
struct Check {
    port: u16,
    told: Arc<Told>,
    _server: AbortOnDropHandle<()>,
}

/// What a check tells.
#[derive(Debug)]
struct Told {
    service: NamespacedName,
    endpoints: AtomicUsize,
    healthy: Arc<AtomicBool>,
}

// === impl HealthChecks ===

impl<B: Backend> HealthChecks<B> {
    /// Decorates `inner`; the ports are bound on `address`.
    pub fn new(inner: B, address: IpAddr) -> Self {
        Self {
            inner,
            address,
            healthy: Arc::default(),
            ports: FxHashMap::default(),
            services: FxHashMap::default(),
            checks: BTreeMap::new(),
        }
    }

    fn note(&mut self, change: &Change) -> FxHashSet<NamespacedName> {
        let mut touched = FxHashSet::default();
        for key in &change.removed {
            if self.ports.remove(key).is_some() {
                touched.insert(key.name.service.clone());
                if let Some(keys) = self.services.get_mut(&key.name.service) {
                    keys.remove(key);
                }
            }
        }
        for port in &change.updated {
            let service = &port.key.name.service;
            if port.health_check_node_port.is_some() || self.ports.contains_key(&port.key) {
                touched.insert(service.clone());
                self.ports.insert(port.key.clone(), port.clone());
                self.services.entry(service.clone()).or_default().insert(port.key.clone());
            }
        }
        touched
    }

    /// Brings the checks of these Services in step with their ports.
    async fn check(&mut self, touched: FxHashSet<NamespacedName>) {
        for service in touched {
            let Some((number, endpoints)) = self.wanted(&service) else {
                self.forget(&service);
                continue;
            };
            if let Some(check) = self.checks.get(&service).filter(|check| check.port == number) {
                check.told.endpoints.store(endpoints, Ordering::Relaxed);
                continue;
            }
            self.checks.remove(&service);
            match self.start(&service, number, endpoints).await {
                Ok(check) => _ = self.checks.insert(service, check),
                Err(error) => tracing::warn!(%service, %error, "health-check node port not served"),
            }
        }
    }

    /// The port of a Service's check and what it has to tell.
    fn wanted(&self, service: &NamespacedName) -> Option<(u16, usize)> {
        let keys = self.services.get(service)?.iter();
        let ports: Vec<_> = keys.filter_map(|key| self.ports.get(key)).collect();
        let number = ports.iter().find_map(|port| port.health_check_node_port)?;
        let local = ports.iter().flat_map(|port| &port.local_endpoints);
        let ips: FxHashSet<IpAddr> = local.map(|endpoint| endpoint.address.ip()).collect();
        Some((number, ips.len()))
    }

    fn forget(&mut self, service: &NamespacedName) {
        self.checks.remove(service);
        for key in self.services.remove(service).into_iter().flatten() {
            self.ports.remove(&key);
        }
    }

    async fn start(
        &mut self,
        service: &NamespacedName,
        port: u16,
        endpoints: usize,
    ) -> std::io::Result<Check> {
        let listener = http::bind(SocketAddr::new(self.address, port)).await?;
        let (service, healthy) = (service.clone(), self.healthy.clone());
        let told = Arc::new(Told { service, endpoints: AtomicUsize::new(endpoints), healthy });
        let server = tokio::spawn(http::serve(told.clone(), listener));
        Ok(Check { port, told, _server: AbortOnDropHandle::new(server) })
    }
}

#[async_trait]
impl<B: Backend> Backend for HealthChecks<B> {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    async fn apply(&mut self, change: &Change) -> Result<(), BackendError> {
        let applied = self.inner.apply(change).await;
        self.healthy.store(applied.is_ok(), Ordering::Relaxed);
        let touched = self.note(change);
        self.check(touched).await;
        applied
    }

    async fn resync(&mut self, state: &Change) -> Result<(), BackendError> {
        let synced = self.inner.resync(state).await;
        self.healthy.store(synced.is_ok(), Ordering::Relaxed);
        let wanted: FxHashSet<&PortKey> = state.updated.iter().map(|port| &port.key).collect();
        let removed = self.ports.keys().filter(|key| !wanted.contains(key)).cloned().collect();
        let touched = self.note(&Change { removed, ..Change::to(state.updated.clone()) });
        self.check(touched).await;
        synced
    }

    async fn lost(&mut self) {
        self.inner.lost().await;
    }
}

// === impl Told ===

impl Answers for Told {
    fn get(&self, _path: &str) -> Option<Answer> {
        let endpoints = self.endpoints.load(Ordering::Relaxed);
        let healthy = self.healthy.load(Ordering::Relaxed);
        let body = serde_json::json!({
            "service": {"namespace": &*self.service.namespace, "name": &*self.service.name},
            "localEndpoints": endpoints,
            "serviceProxyHealthy": healthy,
        });
        Some(Answer::json(endpoints > 0 && healthy, &body))
    }
}
