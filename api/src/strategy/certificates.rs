//! CertificateSigningRequests.

use super::generic::keep_all_but;
use super::json::{list_of, map_mut, map_of, restore, str_of};
use super::{Map, Strategy};
use crate::authentication::User;
use crate::validation::{Errors, Path};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::borrow::Cow;
use windlass_core::Object;

/// The rules of CertificateSigningRequests. Who asks (`spec.username` and the like) is never taken from him.
pub(super) struct Request;

const SPEC: Path<'static> = Path::new("spec");

impl Strategy for Request {
    fn made_by(&self, object: &mut Map, user: &User) {
        let spec = map_mut(object, "spec");
        for claimed in ["username", "uid", "groups", "extra"] {
            spec.shift_remove(claimed);
        }
        spec.insert("username".into(), user.name.clone().into());
        if !user.uid.is_empty() {
            spec.insert("uid".into(), user.uid.clone().into());
        }
        if !user.groups.is_empty() {
            spec.insert("groups".into(), user.groups.clone().into());
        }
        if !user.extra.is_empty() {
            spec.insert("extra".into(), serde_json::json!(user.extra));
        }
    }

    fn prepare_for_update(&self, new: &mut Map, old: &Map) {
        restore(new, old, "spec");
    }

    fn prepare_for_subresource(&self, subresource: &str, new: &mut Map, old: &Map) {
        let conditions =
            |object: &Map| map_of(object, "status").and_then(|s| s.get("conditions")).cloned();
        let settled = |condition: &Value| {
            matches!(condition.get("type").and_then(Value::as_str), Some("Approved" | "Denied"))
        };
        match subresource {
            "approval" => {
                let wanted = conditions(new);
                keep_all_but(&["metadata"], new, old);
                let status = map_mut(new, "status");
                match wanted {
                    Some(wanted) => _ = status.insert("conditions".into(), wanted),
                    None => _ = status.shift_remove("conditions"),
                }
            }
            // The signer may not approve.
            "status" => {
                let list = |object: &Map| -> Vec<Value> {
                    conditions(object).and_then(|c| c.as_array().cloned()).unwrap_or_default()
                };
                let mut all: Vec<_> = list(old).into_iter().filter(settled).collect();
                all.extend(list(new).into_iter().filter(|condition| !settled(condition)));
                let status = map_mut(new, "status");
                match all.is_empty() {
                    true => _ = status.shift_remove("conditions"),
                    false => _ = status.insert("conditions".into(), all.into()),
                }
            }
            _ => {}
        }
    }

    fn validate(&self, object: &Map) -> Errors {
        let mut errors = Errors::default();
        let empty = Map::new();
        let spec = map_of(object, "spec").unwrap_or(&empty);
        let pem = STANDARD.decode(str_of(spec, "request")).unwrap_or_default();
        let text = String::from_utf8_lossy(&pem);
        if !text.contains("-----BEGIN CERTIFICATE REQUEST-----") {
            let detail = "PEM block type must be CERTIFICATE REQUEST";
            errors.invalid(SPEC.child("request"), str_of(spec, "request"), detail);
        }
        if list_of(spec, "usages").is_empty() {
            errors.required(SPEC.child("usages"), "");
        }
        match str_of(spec, "signerName") {
            "" => errors.required(SPEC.child("signerName"), ""),
            name if !name.contains('/') => {
                let detail = "must be a fully qualified domain and path of the form 'example.com/signer-name'";
                errors.invalid(SPEC.child("signerName"), name, detail);
            }
            _ => {}
        }
        if spec
            .get("expirationSeconds")
            .and_then(Value::as_i64)
            .is_some_and(|seconds| seconds < 600)
        {
            let value = spec["expirationSeconds"].clone();
            let detail = "may not specify a duration less than 600 seconds (10 minutes)";
            errors.invalid(SPEC.child("expirationSeconds"), value, detail);
        }
        errors
    }

    fn validate_subresource(&self, _subresource: &str, new: &Map, old: &Map) -> Errors {
        let mut errors = Errors::default();
        validate_conditions(new, &mut errors);
        for kind in SETTLING {
            if of_type(new, kind).count() < of_type(old, kind).count() {
                let detail = format!("updates may not remove a condition of type \"{kind}\"");
                errors.forbidden("status.conditions", &detail);
            }
        }
        let certificate =
            |object| map_of(object, "status").map_or("", |s| str_of(s, "certificate"));
        let before = certificate(old);
        if !before.is_empty() && certificate(new) != before {
            let detail = "updates may not modify existing certificate content";
            errors.forbidden("status.certificate", detail);
        }
        errors
    }

    fn fields(&self) -> &'static [&'static str] {
        &["spec.signerName"]
    }

    fn field(&self, object: &Object, name: &str) -> Option<Cow<'static, str>> {
        super::fields::value(object, self.fields(), name)
    }
}

/// The conditions that settle a request: whoever wrote one, nobody takes it back.
const SETTLING: [&str; 3] = ["Approved", "Denied", "Failed"];

fn conditions(object: &Map) -> &[Value] {
    map_of(object, "status").map_or(&[], |status| list_of(status, "conditions"))
}

fn of_type<'a>(object: &'a Map, kind: &str) -> impl Iterator<Item = &'a Value> {
    conditions(object).iter().filter(move |condition| condition["type"] == *kind)
}

fn validate_conditions(object: &Map, errors: &mut Errors) {
    if of_type(object, "Approved").next().is_some() && of_type(object, "Denied").next().is_some() {
        let detail = "Approved and Denied conditions are mutually exclusive";
        errors.invalid("status.conditions", conditions(object), detail);
    }
    for (at, condition) in conditions(object).iter().filter_map(Value::as_object).enumerate() {
        let path = format!("status.conditions[{at}]");
        let (kind, status) = (str_of(condition, "type"), str_of(condition, "status"));
        if kind.is_empty() {
            errors.required(format!("{path}.type"), "");
        }
        if SETTLING.contains(&kind) && !matches!(status, "True" | "") {
            errors.not_supported(format!("{path}.status"), status, &["True"]);
        }
    }
}

#[cfg(test)]
mod tests;
