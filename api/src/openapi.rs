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
mod remote;
mod v2;
mod v3;

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use windlass_core::scheme::{GroupVersion, GroupVersionResource, ResourceInfo};

pub use custom::CustomKind;
use document::Piece;
pub use document::{Document, V2_PROTOBUF};
use remote::Remote;

type Definitions = Map<String, Value>;

/// The OpenAPI documents of a server. Cheap to ask after the first time; from any thread. The first
/// request of each kind computes, and should not run on a thread that serves others. When a custom kind
/// comes or goes, only the parts of its own group version are made again.
#[derive(Debug)]
pub struct OpenApi {
    resources: Vec<Arc<ResourceInfo>>,
    builtin: OnceLock<Documents>,
    swagger: OnceLock<Swagger>,
    custom: Mutex<Custom>,
}

type Documents = BTreeMap<GroupVersion, Arc<Document>>;

/// The custom kinds, and what is made of all kinds together.
#[derive(Debug, Default)]
struct Custom {
    versions: BTreeMap<GroupVersion, CustomVersion>,
    /// Of other servers.
    remote: BTreeMap<GroupVersion, Remote>,
    index: Option<Arc<Document>>,
    v2: Option<Arc<Document>>,
    v2_protobuf: Option<Arc<Document>>,
}

/// The custom kinds of one group version, and what was made of them.
#[derive(Debug, Default)]
struct CustomVersion {
    kinds: Vec<CustomKind>,
    v3: Option<Arc<Document>>,
    swagger: Option<Swagger>,
}

/// What group versions add to `/openapi/v2`, in both of its forms.
#[derive(Debug)]
struct Swagger {
    paths: Piece,
    definitions: Piece,
    protobuf: Piece,
}

// === impl OpenApi ===

impl OpenApi {
    /// The documents of these built-in resources.
    #[must_use]
    pub fn new(resources: Vec<Arc<ResourceInfo>>) -> Self {
        let (builtin, swagger, custom) = (OnceLock::new(), OnceLock::new(), Mutex::default());
        Self { resources, builtin, swagger, custom }
    }

    /// Adds a custom kind, or puts it in the place of the one with the same resource. One that is the same
    /// changes nothing but whose bytes are kept.
    pub fn put(&self, kind: CustomKind) {
        let mut custom = self.custom.lock();
        let version = custom.versions.get_mut(&kind.info.gvr.group_version());
        let same = version.and_then(|v| v.kinds.iter_mut().find(|known| **known == kind));
        if let Some(same) = same {
            *same = kind;
            return;
        }
        let kinds = &mut custom.changed(kind.info.gvr.group_version()).kinds;
        match kinds.iter_mut().find(|known| known.info.gvr == kind.info.gvr) {
            Some(known) => *known = kind,
            None => kinds.push(kind),
        }
        kinds.sort_by(|a, b| a.info.gvr.cmp(&b.info.gvr));
    }

    /// Takes a custom kind away, if it is there.
    pub fn remove(&self, resource: &GroupVersionResource) {
        let mut custom = self.custom.lock();
        let version = resource.group_version();
        let kinds = &mut custom.changed(version.clone()).kinds;
        kinds.retain(|kind| kind.info.gvr != *resource);
        if kinds.is_empty() {
            custom.versions.remove(&version);
        }
    }

    /// Takes in what another server publishes of a group version that it serves behind this one: its document in
    /// OpenAPI 3, and all it has in Swagger 2. Takes a while.
    ///
    /// # Errors
    /// When one of them is no JSON.
    pub fn put_remote(
        &self,
        version: &GroupVersion,
        v3: &[u8],
        v2: Option<&[u8]>,
    ) -> Result<(), serde_json::Error> {
        let remote = Remote::new(version, v3, v2, &definitions::builtin(&self.resources))?;
        let mut custom = self.custom.lock();
        let known = custom.remote.get(version);
        if known.is_none_or(|known| known.v3.etag != remote.v3.etag) {
            custom.renew();
            custom.remote.insert(version.clone(), remote);
        }
        Ok(())
    }

    /// Takes that away again, if it is there.
    pub fn remove_remote(&self, version: &GroupVersion) {
        let mut custom = self.custom.lock();
        if custom.remote.remove(version).is_some() {
            custom.renew();
        }
    }

    /// `/openapi/v2` as JSON.
    pub fn v2(&self) -> Arc<Document> {
        let mut custom = self.custom.lock();
        if let Some(v2) = &custom.v2 {
            return Arc::clone(v2);
        }
        let all: Vec<_> = std::iter::once(self.swagger()).chain(custom.swaggers()).collect();
        let mut pieces = vec![v2::head()];
        pieces.extend(v2::listed(all.iter().map(|swagger| &swagger.paths)));
        pieces.push(v2::middle());
        pieces.extend(v2::listed(all.iter().map(|swagger| &swagger.definitions)));
        pieces.push(v2::tail());
        let document = Arc::new(Document::joined("application/json", &pieces));
        custom.v2 = Some(Arc::clone(&document));
        document
    }

    /// `/openapi/v2` in the protobuf form that client-go insists on (asked for as [`V2_PROTOBUF`]).
    pub fn v2_protobuf(&self) -> Arc<Document> {
        let mut custom = self.custom.lock();
        if let Some(v2) = &custom.v2_protobuf {
            return Arc::clone(v2);
        }
        // Messages that stand one behind the other are one message.
        let mut pieces = vec![self.swagger().protobuf.clone()];
        pieces.extend(custom.swaggers().map(|swagger| swagger.protobuf.clone()));
        let document = Arc::new(Document::joined(V2_PROTOBUF[0], &pieces));
        custom.v2_protobuf = Some(Arc::clone(&document));
        document
    }

    /// `/openapi/v3`: where the document of each group version is, with its hash.
    pub fn v3_index(&self) -> Arc<Document> {
        let mut custom = self.custom.lock();
        if let Some(index) = &custom.index {
            return Arc::clone(index);
        }
        let entry = |version: &GroupVersion, document: &Document| {
            let path = version.path();
            let url = format!("/openapi/v3{path}?hash={}", document.hash());
            (path.trim_start_matches('/').to_owned(), json!({"serverRelativeURL": url}))
        };
        let builtin = self.builtin().iter().map(|(version, document)| entry(version, document));
        let mut paths: BTreeMap<_, _> = builtin.collect();
        let custom_versions = custom.versions.iter_mut();
        paths.extend(custom_versions.map(|(version, kinds)| entry(version, &kinds.v3())));
        paths.extend(custom.remote.iter().map(|(version, remote)| entry(version, &remote.v3)));
        let document = Arc::new(Document::json(&json!({"paths": paths})));
        custom.index = Some(Arc::clone(&document));
        document
    }

    /// `/openapi/v3/{apis/group/version}`: the document of one group version, if it is served.
    pub fn v3(&self, version: &GroupVersion) -> Option<Arc<Document>> {
        if let Some(remote) = self.custom.lock().remote.get(version) {
            return Some(Arc::clone(&remote.v3));
        }
        if let Some(document) = self.builtin().get(version) {
            return Some(Arc::clone(document));
        }
        self.custom.lock().versions.get_mut(version).map(CustomVersion::v3)
    }

    fn builtin(&self) -> &Documents {
        self.builtin.get_or_init(|| {
            let all = definitions::builtin(&self.resources);
            v3::documents(&self.resources, &all)
        })
    }

    fn swagger(&self) -> &Swagger {
        self.swagger.get_or_init(|| {
            let definitions = definitions::builtin(&self.resources);
            Swagger::new(v2::document(&self.resources, definitions))
        })
    }
}

// === impl Custom ===

impl Custom {
    /// The kinds of a group version, to change.
    fn changed(&mut self, version: GroupVersion) -> &mut CustomVersion {
        self.renew();
        let kinds = self.versions.entry(version).or_default();
        (kinds.v3, kinds.swagger) = (None, None);
        kinds
    }
}

impl Custom {
    /// What is made of all kinds together is made again.
    fn renew(&mut self) {
        (self.index, self.v2, self.v2_protobuf) = (None, None, None);
    }

    /// What is added to the built-in kinds' own. Each group version once: another server's goes first.
    fn swaggers(&mut self) -> impl Iterator<Item = &Swagger> {
        let Self { versions, remote, .. } = self;
        let taken: &_ = remote;
        let own = versions.iter_mut().filter(|(version, _)| !taken.contains_key(version));
        own.map(|(_, kinds)| kinds.swagger())
            .chain(taken.values().filter_map(|remote| remote.swagger.as_ref()))
    }
}

// === impl CustomVersion ===

impl CustomVersion {
    fn infos(&self) -> Vec<Arc<ResourceInfo>> {
        self.kinds.iter().map(|kind| Arc::clone(&kind.info)).collect()
    }

    fn v3(&mut self) -> Arc<Document> {
        if let Some(document) = &self.v3 {
            return Arc::clone(document);
        }
        let mut all = definitions::common();
        all.extend(self.kinds.iter().flat_map(CustomKind::definitions));
        let document = Arc::new(v3::version(&self.infos(), &all));
        Arc::clone(self.v3.insert(document))
    }

    fn swagger(&mut self) -> &Swagger {
        if self.swagger.is_none() {
            let definitions = self.kinds.iter().flat_map(CustomKind::definitions).collect();
            let document = v2::document(&self.infos(), definitions);
            self.swagger = Some(Swagger::part(document));
        }
        self.swagger.as_ref().expect("it was just made")
    }
}

// === impl Swagger ===

impl Swagger {
    /// What a whole document is made of.
    fn new(document: Value) -> Self {
        let protobuf = Piece::new(&gnostic::encode(&document));
        Self { protobuf, ..Self::part(document) }
    }

    /// What a document of some group versions adds to a whole one.
    fn part(mut document: Value) -> Self {
        let (paths, definitions) = (document["paths"].take(), document["definitions"].take());
        let part = json!({"paths": paths, "definitions": definitions});
        let protobuf = Piece::new(&gnostic::encode(&part));
        let entries = |name: &str| {
            let text = part[name].to_string();
            // Without the braces.
            Piece::new(&text.as_bytes()[1..text.len() - 1])
        };
        Self { paths: entries("paths"), definitions: entries("definitions"), protobuf }
    }
}
