//! ConfigMaps and Secrets.

use super::json::{is_empty, is_true, map_mut, map_of, restore, str_of};
use super::{Map, Strategy};
use crate::validation::format::config_map_key;
use crate::validation::rules::{immutable, texts};
use crate::validation::{Errors, Path};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::borrow::Cow;
use windlass_core::Object;

/// The most the values may hold together.
const MAX_SIZE: usize = 1024 * 1024;
const FROZEN: &str = "field is immutable when `immutable` is set";
/// How Kubernetes writes the path of the object itself.
const SELF: &str = "[]";

/// The rules of ConfigMaps.
pub(super) struct ConfigMap;

/// The rules of Secrets.
pub(super) struct Secret;

/// The keys that each type of Secret can't do without.
const NEEDED: [(&str, &[&str]); 5] = [
    ("kubernetes.io/dockercfg", &[".dockercfg"]),
    ("kubernetes.io/dockerconfigjson", &[".dockerconfigjson"]),
    ("kubernetes.io/ssh-auth", &["ssh-privatekey"]),
    ("kubernetes.io/tls", &["tls.crt", "tls.key"]),
    ("kubernetes.io/basic-auth", &[]),
];
const JSON_KEYS: [&str; 2] = [".dockercfg", ".dockerconfigjson"];
const ACCOUNT: &str = "kubernetes.io/service-account.name";

// === impl ConfigMap ===

impl Strategy for ConfigMap {
    fn validate(&self, object: &Map) -> Errors {
        let mut errors = Errors::default();
        let mut total = 0;
        for (field, encoded) in [("data", false), ("binaryData", true)] {
            for (key, value) in map_of(object, field).into_iter().flatten() {
                texts(Path::new(field).key(key), key, &config_map_key(key), &mut errors);
                if encoded && map_of(object, "data").is_some_and(|data| data.contains_key(key)) {
                    let detail = "duplicate of key present in data";
                    errors.invalid(Path::new(field).key(key), key.as_str(), detail);
                }
                total += size(value, encoded);
            }
        }
        if total > MAX_SIZE {
            errors.too_long(SELF, MAX_SIZE);
        }
        errors
    }

    fn validate_update(&self, new: &Map, old: &Map) -> Errors {
        frozen(new, old, &["data", "binaryData"])
    }
}

// === impl Secret ===

impl Strategy for Secret {
    fn default(&self, object: &mut Map) {
        super::json::fill(object, "type", "Opaque");
        let Some(Value::Object(texts)) = object.shift_remove("stringData") else { return };
        if texts.is_empty() {
            return;
        }
        let data = map_mut(object, "data");
        for (key, value) in texts {
            data.insert(key, STANDARD.encode(value.as_str().unwrap_or_default()).into());
        }
    }

    fn prepare_for_update(&self, new: &mut Map, old: &Map) {
        if is_empty(new, "type") {
            restore(new, old, "type");
        }
    }

    fn validate(&self, object: &Map) -> Errors {
        let mut errors = Errors::default();
        let path = Path::new("data");
        let empty = Map::new();
        let data = map_of(object, "data").unwrap_or(&empty);
        for key in data.keys() {
            texts(path.key(key), key, &config_map_key(key), &mut errors);
        }
        if data.values().map(|value| size(value, true)).sum::<usize>() > MAX_SIZE {
            errors.too_long(path, MAX_SIZE);
        }
        of_type(object, data, &mut errors);
        errors
    }

    fn validate_update(&self, new: &Map, old: &Map) -> Errors {
        let mut errors = frozen(new, old, &["data"]);
        for key in ["type"] {
            if new.get(key) != old.get(key) {
                immutable(new, old, key, &Path::ROOT, &mut errors);
            }
        }
        errors
    }

    fn fields(&self) -> &'static [&'static str] {
        &["type"]
    }

    fn field(&self, object: &Object, name: &str) -> Option<Cow<'static, str>> {
        super::fields::value(object, self.fields(), name)
    }
}

fn of_type(object: &Map, data: &Map, errors: &mut Errors) {
    let kind = str_of(object, "type");
    if kind == "kubernetes.io/service-account-token" {
        let meta = map_of(object, "metadata");
        let annotations = meta.and_then(|meta| map_of(meta, "annotations"));
        if annotations.is_none_or(|annotations| is_empty(annotations, ACCOUNT)) {
            errors.required(Path::new("metadata").child("annotations").key(ACCOUNT), "");
        }
    }
    let path = Path::new("data");
    let needed = NEEDED.iter().find(|(name, _)| *name == kind).map(|(_, keys)| *keys);
    for key in needed.unwrap_or_default() {
        let Some(value) = data.get(*key) else {
            errors.required(path.key(key), "");
            continue;
        };
        let bytes = value.as_str().and_then(|text| STANDARD.decode(text).ok()).unwrap_or_default();
        if JSON_KEYS.contains(key) && serde_json::from_slice::<Value>(&bytes).is_err() {
            errors.invalid(
                path.key(key),
                "<secret contents redacted>",
                "invalid character in JSON",
            );
        }
    }
    if kind == "kubernetes.io/basic-auth"
        && !data.contains_key("username")
        && !data.contains_key("password")
    {
        errors.required(path.key("username"), "");
        errors.required(path.key("password"), "");
    }
}

/// Whoever made it immutable can't take that back, nor change what it holds.
fn frozen(new: &Map, old: &Map, keys: &[&str]) -> Errors {
    let mut errors = Errors::default();
    if !is_true(old, "immutable") {
        return errors;
    }
    if !is_true(new, "immutable") {
        errors.forbidden("immutable", FROZEN);
    }
    let empty = Map::new();
    for key in keys {
        if map_of(new, key).unwrap_or(&empty) != map_of(old, key).unwrap_or(&empty) {
            errors.forbidden(key, FROZEN);
        }
    }
    errors
}

/// The size of a value; of one in base64 that of what it stands for.
fn size(value: &Value, encoded: bool) -> usize {
    let text = value.as_str().unwrap_or_default();
    if encoded { text.trim_end_matches('=').len() * 3 / 4 } else { text.len() }
}
