//! The schema of the API, as clients read it: `/openapi/v2` and `/openapi/v3` (KEP-2896).
//!
//! `kubectl explain`, client-side validation, and the three-way merge of `kubectl apply` work from
//! these documents. They are put together when first asked for and kept only as compressed bytes:
//! building them takes some tens of milliseconds of CPU and some megabytes of memory, once.

mod custom;
mod definitions;
mod document;
mod gnostic;
mod kinds;
mod operations;
mod v2;
mod v3;

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use windlass_core::scheme::{GroupVersion, ResourceInfo};

pub use custom::CustomKind;
pub use document::{Document, V2_PROTOBUF};

type Definitions = Map<String, Value>;

/// The OpenAPI documents of a server. Cheap to ask after the first time; from any thread. The first
/// request of each kind computes, and should not run on a thread that serves others.
#[derive(Debug)]
pub struct OpenApi {
    resources: Vec<Arc<ResourceInfo>>,
    custom: Mutex<Vec<CustomKind>>,
    builtin: Mutex<Option<Arc<Documents>>>,
    customized: Mutex<Option<Arc<Documents>>>,
    index: Mutex<Option<Arc<Document>>>,
    v2: Mutex<Option<Arc<V2>>>,
}

type Documents = BTreeMap<GroupVersion, Arc<Document>>;

#[derive(Debug)]
struct V2 {
    json: Arc<Document>,
    protobuf: Arc<Document>,
}

// === impl OpenApi ===

impl OpenApi {
    /// The documents of these built-in resources.
    #[must_use]
    pub fn new(resources: Vec<Arc<ResourceInfo>>) -> Self {
        Self {
            resources,
            custom: Mutex::default(),
            builtin: Mutex::default(),
            customized: Mutex::default(),
            index: Mutex::default(),
            v2: Mutex::default(),
        }
    }

    /// Replaces the custom kinds that are served beside the built-in ones.
    pub fn set_custom(&self, kinds: Vec<CustomKind>) {
        let mut custom = self.custom.lock();
        if *custom == kinds {
            return;
        }
        *custom = kinds;
        *self.customized.lock() = None;
        *self.index.lock() = None;
        *self.v2.lock() = None;
    }

    /// `/openapi/v2` as JSON.
    pub fn v2(&self) -> Arc<Document> {
        Arc::clone(&self.build_v2().json)
    }

    /// `/openapi/v2` in the protobuf form that client-go insists on (asked for as [`V2_PROTOBUF`]).
    pub fn v2_protobuf(&self) -> Arc<Document> {
        Arc::clone(&self.build_v2().protobuf)
    }

    /// `/openapi/v3`: where the document of each group version is, with its hash.
    pub fn v3_index(&self) -> Arc<Document> {
        // Taken in the order of `set_custom`, so that an old index is never kept.
        let custom = self.custom.lock();
        let mut index = self.index.lock();
        if let Some(index) = &*index {
            return Arc::clone(index);
        }
        let builtin = self.builtin();
        let customized = self.customized(&custom);
        let paths = builtin.iter().chain(customized.iter()).map(|(version, document)| {
            let path = version.path();
            let url = format!("/openapi/v3{path}?hash={}", document.hash());
            (path.trim_start_matches('/').to_owned(), json!({"serverRelativeURL": url}))
        });
        let paths: BTreeMap<_, _> = paths.collect();
        let document = Arc::new(Document::json(&json!({"paths": paths})));
        Arc::clone(index.insert(document))
    }

    /// `/openapi/v3/{apis/group/version}`: the document of one group version, if it is served.
    pub fn v3(&self, version: &GroupVersion) -> Option<Arc<Document>> {
        if let Some(document) = self.builtin().get(version) {
            return Some(Arc::clone(document));
        }
        let custom = self.custom.lock();
        self.customized(&custom).get(version).map(Arc::clone)
    }

    fn builtin(&self) -> Arc<Documents> {
        let mut builtin = self.builtin.lock();
        Arc::clone(builtin.get_or_insert_with(|| {
            let all = definitions::builtin(&self.resources);
            Arc::new(v3::documents(&self.resources, &all))
        }))
    }

    fn customized(&self, custom: &[CustomKind]) -> Arc<Documents> {
        let mut customized = self.customized.lock();
        Arc::clone(customized.get_or_insert_with(|| {
            let mut all = definitions::common();
            all.extend(custom.iter().flat_map(CustomKind::definitions));
            let resources: Vec<_> = custom.iter().map(|kind| Arc::clone(&kind.info)).collect();
            Arc::new(v3::documents(&resources, &all))
        }))
    }

    fn build_v2(&self) -> Arc<V2> {
        let custom = self.custom.lock();
        let mut v2 = self.v2.lock();
        Arc::clone(v2.get_or_insert_with(|| {
            let mut all = definitions::builtin(&self.resources);
            all.extend(custom.iter().flat_map(CustomKind::definitions));
            let mut resources = self.resources.clone();
            resources.extend(custom.iter().map(|kind| Arc::clone(&kind.info)));
            let document = v2::document(&resources, all);
            let protobuf = Document::new(V2_PROTOBUF[0], &gnostic::encode(&document));
            Arc::new(V2 { json: Arc::new(Document::json(&document)), protobuf: Arc::new(protobuf) })
        }))
    }
}
