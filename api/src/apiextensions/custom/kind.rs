//! What all versions of a defined kind have in common.

use crate::apiextensions::conversion::Converter;
use crate::apiextensions::schema::StructuralSchema;
use crate::storage::{Fields, Resource};
use crate::strategy::read_field;
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use windlass_core::Object;
use windlass_core::component::Shutdown;
use windlass_core::scheme::{GroupVersionKind, GroupVersionResource};

/// The schema of a version; none when its objects may hold anything.
pub(in crate::apiextensions) type Schema = Option<Arc<StructuralSchema>>;

/// What all versions of a defined kind have in common, until its definition changes.
pub(in crate::apiextensions) struct Kind {
    pub(in crate::apiextensions) place: Arc<Resource>,
    pub(in crate::apiextensions) converter: Converter,
    /// Objects that were written later went by these rules.
    pub(in crate::apiextensions) since: u64,
    /// Ends the watches.
    pub(in crate::apiextensions) ended: Shutdown,
    stored: GroupVersionKind,
    schemas: Box<[(String, Schema)]>,
    terminating: AtomicBool,
}

/// Reads any field by its path: which of them one may select by is each version's to say.
struct AnyField;

// === impl Kind ===

impl Kind {
    pub(in crate::apiextensions) fn new(
        resource: GroupVersionResource,
        stored: GroupVersionKind,
        schemas: Box<[(String, Schema)]>,
        converter: Converter,
        since: u64,
    ) -> Self {
        let place = Arc::new(Resource::new(resource, None, Arc::new(AnyField)));
        let (ended, terminating) = (Shutdown::new(), AtomicBool::new(false));
        Self { place, converter, since, ended, stored, schemas, terminating }
    }

    /// The schema of a version.
    pub(in crate::apiextensions) fn schema(&self, version: &str) -> Schema {
        self.schemas.iter().find(|(name, _)| name == version).and_then(|(_, schema)| schema.clone())
    }

    /// How objects are stored.
    pub(in crate::apiextensions) fn storage(&self) -> (&GroupVersionKind, Schema) {
        (&self.stored, self.schema(&self.stored.version))
    }

    /// Whether the definition goes.
    pub(in crate::apiextensions) fn is_terminating(&self) -> bool {
        self.terminating.load(Ordering::Acquire)
    }

    /// Says whether the definition goes; whether that is new.
    pub(in crate::apiextensions) fn set_terminating(&self, terminating: bool) -> bool {
        self.terminating.swap(terminating, Ordering::AcqRel) != terminating
    }
}

impl Drop for Kind {
    fn drop(&mut self) {
        self.ended.cancel();
    }
}

impl Fields for AnyField {
    fn field(&self, object: &Object, name: &str) -> Option<Cow<'static, str>> {
        Some(read_field(object, name).map_or(Cow::Borrowed(""), Cow::Owned))
    }
}
