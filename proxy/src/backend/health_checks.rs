//! Health-check node ports: how an external load balancer learns which nodes have endpoints.
//!
//! A Service of type `LoadBalancer` with `externalTrafficPolicy: Local` has a `healthCheckNodePort`,
//! on which each node tells how many of its ready endpoints run there: 200 with some, 503 without.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use rustc_hash::{FxHashMap, FxHashSet};
use tokio_util::task::AbortOnDropHandle;

use super::sockets::{self, Retry};
use super::{Backend, BackendError, Change};
use crate::health::http::{self, Answer, Answers};
use crate::model::{NamespacedName, PortKey, ServicePort};

/// Serves health-check node ports beside what another backend does.
///
/// A port that cannot be bound is reported in the log and tried again, at each change and after a
/// while; it does not keep rules from being carried out.
#[derive(Debug)]
pub struct HealthChecks<B> {
    inner: B,
    addresses: Vec<IpAddr>,
    healthy: Arc<AtomicBool>,
    ports: FxHashMap<PortKey, Arc<ServicePort>>,
    services: FxHashMap<NamespacedName, FxHashSet<PortKey>>,
    checks: BTreeMap<NamespacedName, Check>,
    failed: FxHashSet<NamespacedName>,
    retry: Retry,
}

#[derive(Debug)]
struct Check {
    port: u16,
    told: Arc<Told>,
    servers: Vec<AbortOnDropHandle<()>>,
}

/// What a check tells.
#[derive(Debug)]
struct Told {
    service: NamespacedName,
    ready: AtomicUsize,
    healthy: Arc<AtomicBool>,
}

// === impl HealthChecks ===

impl<B: Backend> HealthChecks<B> {
    /// Decorates `inner`; the ports are bound on each of `addresses` that the machine can have.
    pub fn new(inner: B, addresses: Vec<IpAddr>) -> Self {
        Self {
            inner,
            addresses,
            healthy: Arc::default(),
            ports: FxHashMap::default(),
            services: FxHashMap::default(),
            checks: BTreeMap::new(),
            failed: FxHashSet::default(),
            retry: Retry::default(),
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

    /// Brings the checks of these Services in step with their ports, and tries again what failed.
    async fn check(&mut self, mut touched: FxHashSet<NamespacedName>) {
        touched.extend(self.failed.drain());
        let mut missing = Vec::new();
        // A port that passes from one Service to another is let go before it is bound again.
        for service in touched {
            let wanted = self.wanted(&service);
            if let (Some((number, ready)), Some(check)) = (wanted, self.checks.get(&service))
                && check.port == number
            {
                check.told.ready.store(ready, Ordering::Relaxed);
                continue;
            }
            if let Some(check) = self.checks.remove(&service) {
                check.end().await;
            }
            match wanted {
                Some((number, ready)) => missing.push((service, number, ready)),
                None => self.forget(&service),
            }
        }
        for (service, number, ready) in missing {
            match self.start(&service, number, ready) {
                Ok(check) => _ = self.checks.insert(service, check),
                Err(error) => {
                    tracing::warn!(%service, %error, "health-check node port not served");
                    self.failed.insert(service);
                }
            }
        }
        self.retry.note(!self.failed.is_empty());
    }

    /// The port of a Service's check and the number of ready endpoints that it has to tell.
    fn wanted(&self, service: &NamespacedName) -> Option<(u16, usize)> {
        let keys = self.services.get(service)?.iter();
        let ports: Vec<_> = keys.filter_map(|key| self.ports.get(key)).collect();
        let number = ports.iter().find_map(|port| port.health_check_node_port)?;
        let ready = ports.iter().filter(|port| !port.local_terminating);
        let local = ready.flat_map(|port| &port.local_endpoints);
        let ips: FxHashSet<IpAddr> = local.map(|endpoint| endpoint.address.ip()).collect();
        Some((number, ips.len()))
    }

    fn forget(&mut self, service: &NamespacedName) {
        for key in self.services.remove(service).into_iter().flatten() {
            self.ports.remove(&key);
        }
    }

    fn start(&self, service: &NamespacedName, port: u16, ready: usize) -> io::Result<Check> {
        let mut listeners = Vec::new();
        for address in &self.addresses {
            match sockets::listen(SocketAddr::new(*address, port)) {
                Ok(listener) => listeners.push(listener),
                Err(error) if sockets::is_missing(&error) => {}
                Err(error) => return Err(error),
            }
        }
        let (service, healthy) = (service.clone(), self.healthy.clone());
        let told = Arc::new(Told { service, ready: AtomicUsize::new(ready), healthy });
        let serve =
            |listener| AbortOnDropHandle::new(tokio::spawn(http::serve(told.clone(), listener)));
        let servers = listeners.into_iter().map(serve).collect();
        Ok(Check { port, told, servers })
    }
}

// === impl Check ===

impl Check {
    /// Returns when its port is free.
    async fn end(self) {
        for server in self.servers {
            server.abort();
            if let Err(error) = server.await
                && error.is_panic()
            {
                tracing::error!(%error, "a health check's server failed");
            }
        }
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
        loop {
            tokio::select! {
                () = self.inner.lost() => return,
                () = self.retry.due() => {}
            }
            self.check(FxHashSet::default()).await;
        }
    }
}

// === impl Told ===

impl Answers for Told {
    fn get(&self, _path: &str) -> Option<Answer> {
        let endpoints = self.ready.load(Ordering::Relaxed);
        let healthy = self.healthy.load(Ordering::Relaxed);
        let body = serde_json::json!({
            "service": {"namespace": &*self.service.namespace, "name": &*self.service.name},
            "localEndpoints": endpoints,
            "serviceProxyHealthy": healthy,
        });
        Some(Answer::json(endpoints > 0 && healthy, &body))
    }
}
