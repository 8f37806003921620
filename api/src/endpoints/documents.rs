//! Documents that say what is served: made when first asked for, kept as bytes until that changes.

use crate::aggregation::Routes;
use crate::discovery;
use crate::openapi::{Document, OpenApi};
use crate::registry::Resources;
use bytes::Bytes;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use serde_json::Value;
use std::sync::Arc;
use windlass_core::scheme::ResourceInfo;

/// What discovery and OpenAPI answer.
pub(crate) struct Documents {
    resources: Arc<Resources>,
    /// What other servers serve behind this one.
    routes: Arc<Routes>,
    /// Where clients reach the server.
    pub(super) address: String,
    openapi: Arc<OpenApi>,
    made: Mutex<Made>,
}

/// A document of discovery.
#[derive(Clone)]
pub(super) struct Served {
    pub(super) bytes: Bytes,
    pub(super) etag: String,
}

#[derive(Default)]
struct Made {
    generation: u64,
    documents: FxHashMap<String, Option<Served>>,
}

/// More different documents are not kept: their names come from clients.
const KEPT: usize = 256;

// === impl Documents ===

impl Documents {
    pub(crate) fn new(
        resources: Arc<Resources>,
        routes: Arc<Routes>,
        openapi: Arc<OpenApi>,
        address: String,
    ) -> Self {
        Self { resources, routes, address, openapi, made: Mutex::default() }
    }

    /// The document of this name, made if it is not there.
    pub(super) fn discovery(
        &self,
        name: &str,
        make: impl FnOnce(&[Arc<ResourceInfo>]) -> Option<Value>,
    ) -> Option<Served> {
        let mut made = self.made.lock();
        let generation = self.resources.generation();
        if made.generation != generation || made.documents.len() > KEPT {
            *made = Made { generation, documents: FxHashMap::default() };
        }
        if let Some(known) = made.documents.get(name) {
            return known.clone();
        }
        let document = make(&self.routes.merged(infos(&self.resources))).map(|value| {
            let bytes = Bytes::from(value.to_string());
            Served { etag: discovery::etag(&bytes), bytes }
        });
        made.documents.insert(name.to_owned(), document.clone());
        document
    }

    /// An OpenAPI document. Making it takes a while: away from the tasks that serve.
    pub(super) async fn openapi(
        &self,
        make: impl FnOnce(&OpenApi) -> Option<Arc<Document>> + Send + 'static,
    ) -> Option<Arc<Document>> {
        let openapi = self.openapi.clone();
        let made = tokio::task::spawn_blocking(move || make(&openapi)).await;
        made.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
    }
}

fn infos(resources: &Resources) -> Vec<Arc<ResourceInfo>> {
    resources.all().iter().map(|entry| entry.discovered()).collect()
}
