//! APIServices.

use super::json::{existing_mut, fill_nil, is_true, map_mut, map_of, str_at, str_of};
use super::{Map, Strategy};
use crate::validation::rules::{port, range, required};
use crate::validation::{Errors, Path};
use serde_json::json;

/// The rules of APIServices.
pub(super) struct ApiService;

const SPEC: Path<'static> = Path::new("spec");

impl Strategy for ApiService {
    fn default(&self, object: &mut Map) {
        if let Some(service) = existing_mut(map_mut(object, "spec"), "service") {
            fill_nil(service, "port", 443);
        }
    }

    /// What this server serves itself is available from the start.
    fn prepare_for_create(&self, object: &mut Map) {
        if map_of(object, "spec").is_some_and(|spec| map_of(spec, "service").is_none()) {
            let now = str_at(object, &["metadata", "creationTimestamp"]).to_owned();
            let condition = json!({
                "type": "Available", "status": "True", "lastTransitionTime": now,
                "reason": "Local", "message": "Local APIServices are always available",
            });
            map_mut(object, "status").insert("conditions".into(), json!([condition]));
        }
    }

    fn validate(&self, object: &Map) -> Errors {
        let mut errors = Errors::default();
        let empty = Map::new();
        let spec = map_of(object, "spec").unwrap_or(&empty);
        let name = str_at(object, &["metadata", "name"]);
        let wanted = format!("{}.{}", str_of(spec, "version"), str_of(spec, "group"));
        if name != wanted {
            let detail = format!("must be `spec.version+\".\"+spec.group`: {wanted:?}");
            errors.invalid("metadata.name", name, &detail);
        }
        required(spec, "version", &SPEC, &mut errors);
        range(spec, "groupPriorityMinimum", 1, 20_000, &SPEC, &mut errors);
        range(spec, "versionPriority", 1, 1000, &SPEC, &mut errors);
        match map_of(spec, "service") {
            Some(service) => remote(spec, service, &mut errors),
            None => local(spec, &mut errors),
        }
        errors
    }
}

fn remote(spec: &Map, service: &Map, errors: &mut Errors) {
    let path = SPEC.child("service");
    required(service, "name", &path, errors);
    required(service, "namespace", &path, errors);
    port(service.get("port"), &path.child("port"), errors);
    if is_true(spec, "insecureSkipTLSVerify") && !str_of(spec, "caBundle").is_empty() {
        let detail = "may not be true if caBundle is present";
        errors.invalid(SPEC.child("insecureSkipTLSVerify"), true, detail);
    }
}

fn local(spec: &Map, errors: &mut Errors) {
    if is_true(spec, "insecureSkipTLSVerify") {
        let detail = "may not be true for local APIServices";
        errors.invalid(SPEC.child("insecureSkipTLSVerify"), true, detail);
    }
    if !str_of(spec, "caBundle").is_empty() {
        errors.invalid(SPEC.child("caBundle"), "", "may not be set for local APIServices");
    }
}
