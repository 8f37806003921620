//! The resources a server has.

use super::{Conversion, Observer};
use crate::apiextensions::{CustomResource, ScalePaths};
use crate::storage::{Fields, Resource, Selection};
use crate::strategy::{Map, Strategy, strategy_for};
use indexmap::IndexMap;
use parking_lot::RwLock;
use rustc_hash::FxBuildHasher;
use std::borrow::Cow;
use std::ops::Deref;
use std::sync::Arc;
use tokio::sync::watch;
use windlass_core::Object;
use windlass_core::meta::{FieldSelector, Status};
use windlass_core::scheme::{GroupVersionKind, GroupVersionResource, ResourceInfo};

/// Fields worth an index, when a kind has them.
const INDEXED: &[&str] = &["spec.nodeName"];

/// One served resource.
pub struct Entry {
    /// What is known about it.
    pub info: Arc<ResourceInfo>,
    /// The kind it is served as.
    pub served: GroupVersionKind,
    /// The kind it is stored as.
    pub stored: GroupVersionKind,
    /// Where its objects are.
    pub place: Arc<Resource>,
    pub(crate) strategy: Rules,
    pub(crate) conversion: Option<&'static dyn Conversion>,
    /// What a definition says of it, if that is where it comes from.
    pub(crate) custom: Option<Arc<CustomResource>>,
    /// Who is asked for its objects, if nothing keeps them.
    pub(crate) observer: Option<Arc<dyn Observer>>,
}

/// All served resources, in the order they were added. Cheap to look up; may change while the server runs.
#[derive(Default)]
pub struct Resources {
    table: RwLock<IndexMap<GroupVersionResource, Arc<Entry>, FxBuildHasher>>,
    generation: watch::Sender<u64>,
}

/// A strategy, known at compile time or made for a custom resource.
#[derive(Clone)]
pub(crate) enum Rules {
    Builtin(&'static dyn Strategy),
    Custom(Arc<dyn Strategy>),
}

struct StrategyFields(Rules);

// === impl Entry ===

impl Entry {
    /// A built-in resource.
    #[must_use]
    pub fn builtin(info: Arc<ResourceInfo>) -> Self {
        let strategy = Rules::Builtin(strategy_for(&info.storage_gvr()));
        Self::assemble(info, strategy)
    }

    /// A resource with a strategy of its own.
    pub fn custom(info: Arc<ResourceInfo>, strategy: Arc<dyn Strategy>) -> Self {
        Self::assemble(info, Rules::Custom(strategy))
    }

    fn assemble(info: Arc<ResourceInfo>, strategy: Rules) -> Self {
        let index = INDEXED.iter().copied().find(|field| strategy.fields().contains(field));
        let fields = Arc::new(StrategyFields(strategy.clone()));
        let stored = info.storage.with_kind(info.kind.clone());
        Self {
            served: info.gvk(),
            conversion: <dyn Conversion>::between(&info.gvk(), &stored),
            place: Arc::new(Resource::new(info.storage_gvr(), index, fields)),
            stored,
            strategy,
            info,
            custom: None,
            observer: None,
        }
    }

    /// A resource that nothing keeps.
    pub(crate) fn observed(info: Arc<ResourceInfo>, observer: Arc<dyn Observer>) -> Self {
        Self { observer: Some(observer), ..Self::builtin(info) }
    }

    /// One version of a defined resource. It is handled in the version it is served in, and converted on
    /// its way into the store and out of it.
    pub(crate) fn defined(info: Arc<ResourceInfo>, custom: Arc<CustomResource>) -> Self {
        Self {
            served: info.gvk(),
            stored: info.gvk(),
            place: custom.place().clone(),
            strategy: Rules::Custom(custom.clone()),
            conversion: None,
            custom: Some(custom),
            info,
            observer: None,
        }
    }

    /// Whether what is made of it is kept: it can be seen afterwards.
    pub(crate) fn keeps(&self) -> bool {
        ["get", "list", "watch"].iter().any(|verb| self.info.has_verb(verb))
    }

    /// The group of its name, as errors show it.
    pub(crate) fn group(&self) -> &str {
        &self.info.gvr.group
    }

    /// Its plural.
    pub(crate) fn plural(&self) -> &str {
        &self.info.gvr.resource
    }

    /// An object as it is served.
    pub(crate) async fn serve(&self, object: Arc<Object>) -> Result<Arc<Object>, Status> {
        match (self.conversion, &self.custom) {
            (Some(conversion), _) => Ok(conversion.served_object(&self.served, &object)),
            (None, Some(custom)) => custom.serve(object).await,
            (None, None) => Ok(object),
        }
    }

    /// Objects as they are served.
    pub(crate) async fn serve_all(
        &self,
        objects: Vec<Arc<Object>>,
    ) -> Result<Vec<Arc<Object>>, Status> {
        match (self.conversion, &self.custom) {
            (Some(conversion), _) => {
                let served = |object: Arc<Object>| conversion.served_object(&self.served, &object);
                Ok(objects.into_iter().map(served).collect())
            }
            (None, Some(custom)) => custom.serve_all(objects).await,
            (None, None) => Ok(objects),
        }
    }

    /// Takes what can only be said of objects as they are served out of a selection of stored ones.
    pub(super) fn split(&self, selection: &mut Selection) -> FieldSelector {
        let custom = self.custom.as_ref();
        custom.map(|custom| custom.split(selection)).unwrap_or_default()
    }

    /// Whether that selects an object as it is served.
    pub(super) fn selects(&self, fields: &FieldSelector, object: &Object) -> bool {
        self.custom.as_ref().is_none_or(|custom| custom.selects(fields, object))
    }

    /// The fields of a stored object, in the version in which it is handled.
    pub(crate) async fn open(&self, object: &Arc<Object>) -> Result<Map, Status> {
        let handled = match &self.custom {
            Some(custom) => &custom.serve(object.clone()).await?,
            None => object,
        };
        handled.view().map_err(Status::internal)
    }

    /// An object in the version in which it is stored.
    pub(crate) async fn close(&self, object: Map) -> Result<Map, Status> {
        match &self.custom {
            Some(custom) => custom.store(object).await,
            None => Ok(object),
        }
    }

    /// Where its objects say how many they are, if a definition says that.
    pub(crate) fn scale(&self) -> Option<&ScalePaths> {
        self.custom.as_ref()?.scale()
    }

    /// As discovery shows it.
    pub(crate) fn discovered(&self) -> Arc<ResourceInfo> {
        let shown = self.custom.as_ref().and_then(|custom| custom.discovered(&self.info));
        shown.unwrap_or_else(|| self.info.clone())
    }

    /// The kind of its lists.
    pub(crate) fn list_kind(&self) -> String {
        match &self.custom {
            Some(custom) => custom.list_kind().to_owned(),
            None => self.info.list_kind(),
        }
    }

    /// Whether one may select by a field.
    pub(crate) fn has_field(&self, name: &str) -> bool {
        match name {
            "metadata.name" => true,
            "metadata.namespace" => self.info.namespaced,
            _ => self.strategy.has_field(name),
        }
    }
}

// === impl Resources ===

impl Resources {
    /// The resource of this name.
    #[must_use]
    pub fn get(&self, gvr: &GroupVersionResource) -> Option<Arc<Entry>> {
        self.table.read().get(gvr).cloned()
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Entry>> {
        self.table.read().values().cloned().collect()
    }

    /// Serves a resource from now on; one of the same name is replaced.
    pub fn install(&self, entry: Entry) {
        self.table.write().insert(entry.info.gvr.clone(), Arc::new(entry));
        self.touch();
    }

    /// Serves a resource no longer. Its objects stay in the store.
    pub fn remove(&self, gvr: &GroupVersionResource) {
        self.table.write().shift_remove(gvr);
        self.touch();
    }

    /// Says that something changed in what is told about a resource.
    pub(crate) fn touch(&self) {
        self.generation.send_modify(|generation| *generation += 1);
    }

    /// How often the set of resources changed.
    #[must_use]
    pub fn generation(&self) -> u64 {
        *self.generation.borrow()
    }

    /// Tells when it changes again.
    pub(crate) fn generations(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }
}

impl FromIterator<Entry> for Resources {
    fn from_iter<I: IntoIterator<Item = Entry>>(entries: I) -> Self {
        let table = entries.into_iter().map(|entry| (entry.info.gvr.clone(), Arc::new(entry)));
        Self { table: RwLock::new(table.collect()), generation: watch::Sender::default() }
    }
}

// === impl Rules ===

impl Deref for Rules {
    type Target = dyn Strategy;

    fn deref(&self) -> &Self::Target {
        match self {
            Self::Builtin(strategy) => *strategy,
            Self::Custom(strategy) => &**strategy,
        }
    }
}

impl Fields for StrategyFields {
    fn field(&self, object: &Object, name: &str) -> Option<Cow<'static, str>> {
        self.0.field(object, name)
    }
}
