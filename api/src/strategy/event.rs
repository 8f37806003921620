//! Events, in both of their groups.

use super::json::{is_empty, map_of, str_at, str_of};
use super::{Map, Strategy};
use crate::validation::{Errors, Path};
use std::borrow::Cow;
use windlass_core::Object;

/// The rules of `v1` Events.
pub(super) struct CoreEvent;

/// The rules of `events.k8s.io/v1` Events.
pub(super) struct NewEvent;

const CORE_FIELDS: [&str; 11] = [
    "involvedObject.kind",
    "involvedObject.namespace",
    "involvedObject.name",
    "involvedObject.uid",
    "involvedObject.apiVersion",
    "involvedObject.resourceVersion",
    "involvedObject.fieldPath",
    "reason",
    "reportingComponent",
    "source",
    "type",
];
const NEW_FIELDS: [&str; 10] = [
    "regarding.kind",
    "regarding.namespace",
    "regarding.name",
    "regarding.uid",
    "regarding.apiVersion",
    "regarding.resourceVersion",
    "regarding.fieldPath",
    "reason",
    "reportingController",
    "type",
];

// === impl CoreEvent ===

impl Strategy for CoreEvent {
    fn validate(&self, object: &Map) -> Errors {
        let mut errors = Errors::default();
        let space = str_at(object, &["metadata", "namespace"]);
        let about = str_at(object, &["involvedObject", "namespace"]);
        if about.is_empty() && space != "default" || !about.is_empty() && about != space {
            let detail = "does not match event.namespace";
            errors.invalid("involvedObject.namespace", about, detail);
        }
        errors
    }

    fn expires(&self) -> bool {
        true
    }

    fn fields(&self) -> &'static [&'static str] {
        &CORE_FIELDS
    }

    fn field(&self, object: &Object, name: &str) -> Option<Cow<'static, str>> {
        let source = |path| super::fields::value(object, &[path], path);
        match name {
            "source" => {
                let old = source("source.component").filter(|value| !value.is_empty());
                old.or_else(|| source("reportingComponent"))
            }
            _ => super::fields::value(object, &CORE_FIELDS, name),
        }
    }
}

// === impl NewEvent ===

impl Strategy for NewEvent {
    fn validate(&self, object: &Map) -> Errors {
        let mut errors = Errors::default();
        for (key, most) in [
            ("reportingController", 128),
            ("reportingInstance", 128),
            ("action", 128),
            ("reason", 128),
        ] {
            match str_of(object, key) {
                "" => errors.required(Path::new(key), ""),
                text if text.len() > most => {
                    errors.invalid(
                        Path::new(key),
                        text,
                        &format!("can have at most {most} characters"),
                    );
                }
                _ => {}
            }
        }
        if is_empty(object, "eventTime") {
            errors.required(Path::new("eventTime"), "");
        }
        let kind = str_of(object, "type");
        if !["Normal", "Warning"].contains(&kind) {
            errors.invalid(Path::new("type"), "", &format!("has invalid value: {kind}"));
        }
        if map_of(object, "series").is_some_and(|series| is_empty(series, "lastObservedTime")) {
            errors.required(Path::new("series").child("lastObservedTime").to_string(), "");
        }
        errors
    }

    fn expires(&self) -> bool {
        true
    }

    fn fields(&self) -> &'static [&'static str] {
        &NEW_FIELDS
    }

    fn field(&self, object: &Object, name: &str) -> Option<Cow<'static, str>> {
        super::fields::value(object, &NEW_FIELDS, name)
    }
}
