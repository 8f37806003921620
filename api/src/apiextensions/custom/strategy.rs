//! The rules of the objects of a version.

use super::CustomResource;
use crate::schema::decode;
use crate::strategy::json::{map_mut, restore};
use crate::strategy::{Map, Strategy};
use crate::validation::Errors;
use serde_json::Value;
use std::borrow::Cow;
use windlass_core::Object;
use windlass_core::scheme::GroupVersionKind;

/// A kind that has nothing but metadata: that of all objects is decoded as this one's.
const PARTIAL: GroupVersionKind =
    GroupVersionKind::new("meta.k8s.io", "v1", "PartialObjectMetadata");

impl Strategy for CustomResource {
    fn default(&self, object: &mut Map) {
        if let Some(schema) = &self.schema {
            schema.default(object);
        }
    }

    fn prepare_for_create(&self, object: &mut Map) {
        self.generic.prepare_for_create(object);
        // A status that was taken away may have defaults of its own.
        self.default(object);
    }

    fn prepare_for_update(&self, new: &mut Map, old: &Map) {
        self.generic.prepare_for_update(new, old);
        if !self.generic.status && new.get("status") != old.get("status") {
            self.generic.count_up(new, old);
        }
    }

    /// Only the status is written, and of the metadata only who owns it.
    fn prepare_for_subresource(&self, _: &str, new: &mut Map, old: &Map) {
        let mut kept = old.clone();
        restore(&mut kept, new, "status");
        if let Some(metadata) = new.get("metadata").and_then(Value::as_object) {
            restore(map_mut(&mut kept, "metadata"), metadata, "managedFields");
        }
        *new = kept;
    }

    fn validate(&self, object: &Map) -> Errors {
        let mut errors = self.generic.validate(object);
        self.check(object, None, &mut errors);
        errors
    }

    fn validate_update(&self, new: &Map, old: &Map) -> Errors {
        let mut errors = self.generic.validate_update(new, old);
        self.check(new, Some(old), &mut errors);
        errors
    }

    fn validate_subresource(&self, subresource: &str, new: &Map, old: &Map) -> Errors {
        let mut errors = self.generic.validate_subresource(subresource, new, old);
        if let Some(schema) = &self.schema {
            schema.validate_status(new, Some(old), &mut errors);
        }
        self.check_scale(new, &mut errors);
        errors
    }

    fn prune(&self, object: &mut Map) -> Result<Vec<String>, String> {
        let mut unknown = decode_metadata(object)?;
        if let Some(schema) = &self.schema {
            unknown.extend(schema.prune(object));
        }
        Ok(unknown)
    }

    fn allows_unconditional_update(&self) -> bool {
        false
    }

    fn has_field(&self, name: &str) -> bool {
        self.selectable.iter().any(|field| field == name)
    }

    fn field(&self, object: &Object, name: &str) -> Option<Cow<'static, str>> {
        let value = self.has_field(name).then(|| crate::strategy::read_field(object, name))?;
        Some(value.map_or(Cow::Borrowed(""), Cow::Owned))
    }
}

impl CustomResource {
    fn check(&self, new: &Map, old: Option<&Map>, errors: &mut Errors) {
        if let Some(schema) = &self.schema {
            schema.validate(new, old, errors);
        }
        self.check_scale(new, errors);
    }

    fn check_scale(&self, object: &Map, errors: &mut Errors) {
        if let Some((path, value)) = self.scale.as_ref().and_then(|scale| scale.fault(object)) {
            errors.invalid(path, value, "should be a non-negative integer");
        }
    }
}

/// Brings the metadata into its form. What is unknown in it is taken out, and named.
fn decode_metadata(object: &mut Map) -> Result<Vec<String>, String> {
    let Some(metadata) = object.get_mut("metadata") else { return Ok(Vec::new()) };
    let partial = Map::from_iter([("metadata".to_owned(), metadata.take())]);
    let decoded = decode::value(&PARTIAL, Value::Object(partial)).map_err(|e| e.to_string())?;
    let decode::Decoded { mut value, strict } = decoded;
    *metadata = value.get_mut("metadata").map_or_else(|| Value::Object(Map::new()), Value::take);
    Ok(strict)
}
