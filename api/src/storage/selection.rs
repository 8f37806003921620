//! Which objects of a resource a request is about.

use super::Resource;
use windlass_core::Object;
use windlass_core::meta::{FieldSelector, LabelSelector};
use windlass_store::KeyRange;

/// A namespace and selectors. The default takes every object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only this namespace.
    pub namespace: Option<String>,
    /// Only objects with these labels.
    pub labels: LabelSelector,
    /// Only objects with these fields.
    pub fields: FieldSelector,
}

// === impl Selection ===

impl Selection {
    /// Whether it takes an object of the namespace it is about.
    #[must_use]
    pub fn matches(&self, resource: &Resource, object: &Object) -> bool {
        self.labels.matches(&object.header().labels)
            && self.fields.matches_with(|name| resource.field(object, name))
    }

    /// Whether it takes every object of its namespace.
    #[must_use]
    pub fn takes_all(&self) -> bool {
        self.labels.is_everything() && self.fields.requirements.is_empty()
    }

    /// The keys its objects can have.
    #[must_use]
    pub fn range(&self, resource: &Resource) -> KeyRange {
        resource.range(self.namespace.as_deref())
    }

    /// The one value that it asks of a field, if it does.
    #[must_use]
    pub fn required(&self, field: &str) -> Option<&str> {
        let equal = self.fields.requirements.iter().find(|r| r.field == field && !r.not)?;
        Some(&equal.value)
    }
}
