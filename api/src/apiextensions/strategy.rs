//! The rules of CustomResourceDefinitions themselves.

mod columns;
mod conversion;
mod names;
mod schemas;
mod status;
mod subresources;
mod versions;

#[cfg(test)]
mod tests;

use super::conditions::{self, ESTABLISHED};
use crate::strategy::json::{each_mut, existing_mut, fill, fill_nil, map_mut, map_of, str_of};
use crate::strategy::{Map, Strategy};
use crate::validation::rules::immutable;
use crate::validation::{Errors, Path};
use serde_json::json;

const SPEC: Path<'static> = Path::new("spec");
const NAMES: Path<'static> = SPEC.child("names");

/// The rules of definitions.
pub(crate) struct Definitions;

impl Strategy for Definitions {
    fn default(&self, object: &mut Map) {
        let spec = map_mut(object, "spec");
        fill_nil(spec, "conversion", json!({"strategy": "None"}));
        let names = map_mut(spec, "names");
        let kind = str_of(names, "kind").to_owned();
        if !kind.is_empty() {
            fill(names, "singular", kind.to_lowercase());
            fill(names, "listKind", format!("{kind}List"));
        }
        if let Some(service) = existing_mut(spec, "conversion")
            .and_then(|conversion| existing_mut(conversion, "webhook"))
            .and_then(|webhook| existing_mut(webhook, "clientConfig"))
            .and_then(|config| existing_mut(config, "service"))
        {
            fill_nil(service, "port", 443);
        }
        for version in each_mut(spec, "versions") {
            fill_nil(version, "served", false);
            fill_nil(version, "storage", false);
        }
    }

    fn prepare_for_create(&self, object: &mut Map) {
        status::begin(object);
    }

    fn prepare_for_update(&self, new: &mut Map, _: &Map) {
        status::note_storage(new);
    }

    fn validate(&self, object: &Map) -> Errors {
        let mut errors = Errors::default();
        validate(object, &mut errors);
        errors
    }

    fn validate_update(&self, new: &Map, old: &Map) -> Errors {
        let mut errors = Errors::default();
        let empty = Map::new();
        let spec = |object| map_of(object, "spec").unwrap_or(&empty);
        let (new_spec, old_spec) = (spec(new), spec(old));
        let names = |spec| map_of(spec, "names").unwrap_or(&empty);
        immutable(new_spec, old_spec, "group", &SPEC, &mut errors);
        immutable(names(new_spec), names(old_spec), "plural", &NAMES, &mut errors);
        if conditions::is_true(old, ESTABLISHED) {
            immutable(new_spec, old_spec, "scope", &SPEC, &mut errors);
            immutable(names(new_spec), names(old_spec), "kind", &NAMES, &mut errors);
        }
        status::validate(new, &mut errors);
        errors
    }

    fn validate_subresource(&self, _: &str, new: &Map, _: &Map) -> Errors {
        let mut errors = Errors::default();
        status::validate(new, &mut errors);
        errors
    }
}

fn validate(object: &Map, errors: &mut Errors) {
    let empty = Map::new();
    let spec = map_of(object, "spec").unwrap_or(&empty);
    names::validate(object, spec, errors);
    versions::validate(spec, errors);
    conversion::validate(spec, errors);
    schemas::validate(spec, errors);
    subresources::validate(spec, errors);
    columns::validate(spec, errors);
    columns::validate_selectable(spec, errors);
}
