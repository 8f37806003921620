//! Namespaces.

use super::generic::keep_all_but;
use super::json::{list_of, map_mut, map_of, restore, str_at};
use super::{Map, Strategy};
use crate::validation::format::qualified_name;
use crate::validation::rules::texts;
use crate::validation::{Errors, Path};
use serde_json::{Value, json};
use std::borrow::Cow;
use windlass_core::Object;

const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// The rules of namespaces.
pub(super) struct Namespace;

impl Strategy for Namespace {
    fn default(&self, object: &mut Map) {
        let metadata = map_mut(object, "metadata");
        let name = metadata.get("name").cloned().filter(|name| name.as_str() != Some(""));
        if let Some(name) = name {
            map_mut(metadata, "labels").insert(NAME_LABEL.into(), name);
        }
    }

    fn prepare_for_create(&self, object: &mut Map) {
        self.default(object);
        object.insert("status".into(), json!({"phase": "Active"}));
        let spec = map_mut(object, "spec");
        let mut finalizers = list_of(spec, "finalizers").to_vec();
        if !finalizers.contains(&"kubernetes".into()) {
            finalizers.push("kubernetes".into());
        }
        spec.insert("finalizers".into(), Value::Array(finalizers));
    }

    fn prepare_for_update(&self, new: &mut Map, old: &Map) {
        restore(new, old, "spec");
    }

    fn prepare_for_subresource(&self, subresource: &str, new: &mut Map, old: &Map) {
        if subresource == "finalize" {
            keep_all_but(&["metadata", "spec"], new, old);
        }
    }

    fn validate(&self, object: &Map) -> Errors {
        let mut errors = Errors::default();
        let spec = map_of(object, "spec").cloned().unwrap_or_default();
        let path = Path::new("spec").child("finalizers").to_string();
        for name in list_of(&spec, "finalizers").iter().filter_map(Value::as_str) {
            texts(&path, name, &qualified_name(name), &mut errors);
        }
        errors
    }

    fn validate_subresource(&self, subresource: &str, new: &Map, _old: &Map) -> Errors {
        let mut errors = Errors::default();
        let phase = str_at(new, &["status", "phase"]);
        let deleting = map_of(new, "metadata").is_some_and(|m| m.contains_key("deletionTimestamp"));
        if subresource == "status" && deleting && phase != "Terminating" {
            let detail = "may only be 'Terminating' if `deletionTimestamp` is not empty";
            errors.invalid("status.phase", phase, detail);
        }
        if subresource == "status" && !deleting && phase == "Terminating" {
            let detail = "may not be 'Terminating' if `deletionTimestamp` is empty";
            errors.invalid("status.phase", phase, detail);
        }
        errors
    }

    fn fields(&self) -> &'static [&'static str] {
        &["status.phase"]
    }

    fn field(&self, object: &Object, name: &str) -> Option<Cow<'static, str>> {
        super::fields::value(object, self.fields(), name)
    }
}
