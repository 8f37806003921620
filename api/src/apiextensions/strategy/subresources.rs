//! `status` and `scale`.

use super::versions::each;
use crate::apiextensions::jsonpath::JsonPath;
use crate::strategy::Map;
use crate::strategy::json::{is_empty, map_of, str_of};
use crate::validation::{Errors, Path};

pub(super) fn validate(spec: &Map, errors: &mut Errors) {
    each(spec, &["subresources"], "subresources", |parts, _, path| {
        if let Some(scale) = parts.as_object().and_then(|parts| map_of(parts, "scale")) {
            validate_scale(scale, &path.child("scale"), errors);
        }
    });
}

fn validate_scale(scale: &Map, path: &Path<'_>, errors: &mut Errors) {
    for (key, below) in [("specReplicasPath", "spec"), ("statusReplicasPath", "status")] {
        if is_empty(scale, key) {
            errors.required(path.child(key), "");
        } else {
            simple(str_of(scale, key), &[below], &path.child(key), errors);
        }
    }
    if !is_empty(scale, "labelSelectorPath") {
        let path = path.child("labelSelectorPath");
        simple(str_of(scale, "labelSelectorPath"), &["spec", "status"], &path, errors);
    }
}

/// From key to key, below one of these.
fn simple(text: &str, below: &[&str], path: &Path<'_>, errors: &mut Errors) {
    let parsed = JsonPath::parse(text).ok();
    let keys = parsed.as_ref().and_then(JsonPath::keys);
    match keys {
        None => errors.invalid(path, text, "should be a simple json path without array notation"),
        Some(keys) => {
            let inside = keys.len() > 1 && below.contains(&keys[0]) && text.starts_with('.');
            if !inside {
                let below: Vec<_> = below.iter().map(|part| format!(".{part}")).collect();
                let detail = format!("should be a json path under {}", below.join(" or "));
                errors.invalid(path, text, &detail);
            }
        }
    }
}
