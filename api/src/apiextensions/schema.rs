//! The schemas of custom resources: structural schemas (KEP-1693, API reference "Structural schema").
//!
//! [`StructuralSchema::compile`] checks an `openAPIV3Schema` and turns it into a compact tree. Of an object
//! it then prunes what the schema does not know, fills in defaults, and says what is wrong with it.

mod attach;
mod build;
mod check;
mod correlate;
mod declare;
mod default;
mod defaults;
mod embedded;
mod evaluate;
mod extensions;
mod field_path;
mod format;
mod list_type;
mod node;
mod number;
mod ownership;
pub(crate) mod pattern;
mod props;
mod prune;
mod report;
mod rules;
mod structural;
mod unknown;
mod validate;

#[cfg(test)]
mod tests;

use crate::strategy::Map;
use crate::validation::{ErrorType, Errors, Path};
use node::Node;
pub(crate) use number::go_float;
pub(crate) use ownership::Ownership;
use serde_json::Value;
use unknown::Unknown;

const UNCHECKED: &str = "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation";

/// The schema of one version of a custom resource, checked and compiled. Holds no copy of the JSON it came
/// from and no descriptions.
#[derive(Debug)]
pub struct StructuralSchema {
    root: Node,
}

// === impl StructuralSchema ===

impl StructuralSchema {
    /// Compiles an `openAPIV3Schema`; `at` is its path in the definition.
    ///
    /// # Errors
    /// All that makes it no valid structural schema, in Kubernetes' words and with the paths of the fields.
    pub fn compile(schema: &Value, at: &Path<'_>) -> Result<Self, Errors> {
        let empty = Map::new();
        let props = props::Props::new(schema.as_object().unwrap_or(&empty));
        let mut errors = Errors::default();
        structural::check(props, at, &mut errors);
        let mut root = None;
        if errors.is_empty() {
            let built = build::node(props);
            defaults::check(&built, at, &mut errors);
            root = Some(built);
        }
        check::check(props, at, &mut errors);
        if let Some(root) = root.as_mut().filter(|_| errors.is_empty()) {
            attach::attach(root, props, at, &mut errors);
            defaults::check_rules(root, at, &mut errors);
        }
        match root {
            Some(root) if errors.is_empty() => Ok(Self { root }),
            _ => Err(errors),
        }
    }

    /// Removes the fields the schema does not know, and says which: `unknown field "spec.nope"`, sorted,
    /// a hundred at most.
    /// `apiVersion`, `kind` and `metadata` of the object stay as they are; those of embedded resources are
    /// brought into their form. Doing it again changes nothing.
    pub fn prune(&self, object: &mut Map) -> Vec<String> {
        let mut unknown = Unknown::default();
        embedded::coerce_object(object, &self.root, &mut unknown);
        prune::prune(object, &self.root, &mut unknown);
        unknown.into_errors()
    }

    /// Removes nulls where the schema allows none, and fills in the values that are missing. Doing it
    /// again changes nothing.
    pub fn default(&self, object: &mut Map) {
        default::prune_nulls(object, &self.root);
        default::fill(object, &self.root);
    }

    /// Adds what is wrong with an object, and with the change from the `old` one if there is one. What
    /// was wrong before in a part that did not change is not reported.
    pub fn validate(&self, new: &Map, old: Option<&Map>, errors: &mut Errors) {
        validate::object(&self.root, new, old, errors);
        self.validate_rest(new, old, errors);
    }

    /// The same for a write of the status: of the schema only the part for `status` is looked at.
    pub fn validate_status(&self, new: &Map, old: Option<&Map>, errors: &mut Errors) {
        if let (Some(status), Some(node)) = (new.get("status"), self.root.property("status")) {
            let old = old.and_then(|old| old.get("status"));
            validate::part(node, status, old, &Path::new("status"), errors);
        }
        self.validate_rest(new, old, errors);
    }

    /// How the fields of an object are owned when it is applied.
    /// What expressions may know of its objects.
    pub(crate) fn declared(&self) -> Option<std::sync::Arc<crate::cel::Declared>> {
        declare::declared(&self.root, true)
    }

    pub(crate) fn ownership(&self) -> Ownership<'_> {
        Ownership::Resource(&self.root)
    }

    fn validate_rest(&self, new: &Map, old: Option<&Map>, errors: &mut Errors) {
        embedded::validate_object(new, &self.root, errors);
        if old.is_none_or(|old| list_type::is_unique(&self.root, old)) {
            list_type::check(&self.root, new, errors);
        }
        if errors.iter().any(|error| blocks(error.kind)) {
            errors.add(ErrorType::Invalid, "<nil>", Some(&Value::Null), UNCHECKED);
        } else {
            evaluate::object(&self.root, new, old, errors);
        }
    }
}

/// Whether rules could trip over a mistake of this kind.
fn blocks(kind: ErrorType) -> bool {
    use ErrorType::{NotSupported, Required, TooLong, TooMany, TypeInvalid};
    matches!(kind, NotSupported | Required | TooLong | TooMany | TypeInvalid)
}
