//! APIServices: parts of the API that other servers serve, behind this one (Kubernetes' API aggregation layer).
//!
//! ```text
//! request ─ authentication, authorization ─ Routes ─┬─ no APIService with a Service: this server's own pipeline
//!                                                   └─ proxy ── TLS, front-proxy headers ── the other server
//! events of APIServices, Services, slices ── controller ─ availability: condition, discovery, OpenAPI
//! what this server serves ───────────────────┘          └ local: an APIService for each group version
//! ```
//!
//! What another server says of itself is fetched in the background, within limits, and kept: discovery never
//! waits for it.

mod availability;
mod controller;
mod fetch;
mod follow;
mod local;
mod location;
mod proxy;
mod routes;
mod service;

#[cfg(test)]
mod tests;

pub(crate) use controller::start;
pub(crate) use proxy::Unavailable;
pub(crate) use routes::{Route, Routes};

use crate::openapi::OpenApi;
use crate::registry::Registry;
use controller::Request;
use std::sync::{Arc, OnceLock};
use windlass_core::scheme::{GroupVersion, GroupVersionResource, ResourceInfo};
use windlass_core::workqueue::WorkQueue;

/// Knows the servers behind this one, and passes requests on to them.
pub(crate) struct Aggregator {
    registry: Arc<Registry>,
    openapi: Arc<OpenApi>,
    routes: Arc<Routes>,
    queue: OnceLock<Arc<WorkQueue<Request>>>,
}

// === impl Aggregator ===

impl Aggregator {
    /// Over a server's objects and documents.
    pub(crate) fn new(registry: Arc<Registry>, openapi: Arc<OpenApi>, routes: Arc<Routes>) -> Self {
        Self { registry, openapi, routes, queue: OnceLock::new() }
    }

    /// Who serves what lies under a path, if that is another server.
    pub(crate) fn route(&self, path: &str) -> Option<Arc<Route>> {
        self.routes.find(path)
    }

    /// Whether another server serves a resource.
    pub(crate) fn serves(&self, resource: &GroupVersionResource) -> bool {
        self.routes.has(resource)
    }

    /// These resources, but for those of group versions that others serve; and those of the others.
    pub(crate) fn merged(&self, own: Vec<Arc<ResourceInfo>>) -> Vec<Arc<ResourceInfo>> {
        self.routes.merged(own)
    }

    /// Whether another server serves a group version and has not said what so far.
    pub(crate) fn is_silent(&self, version: &GroupVersion) -> bool {
        self.routes.is_silent(version)
    }

    /// Has a look again at whether a server is there.
    fn look_again(&self, name: &str) {
        if let Some(queue) = self.queue.get() {
            queue.add(Request::Available(name.to_owned()));
        }
    }
}
