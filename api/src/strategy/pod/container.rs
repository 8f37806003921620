//! What a container has when its writer does not say.

use crate::strategy::Map;
use crate::strategy::json::{each_mut, existing_mut, fill, fill_nil, fill_zero, map_mut, str_of};

/// Fills in a container of any sort.
pub(super) fn default_container(container: &mut Map) {
    let policy = pull_policy(str_of(container, "image"));
    fill(container, "imagePullPolicy", policy);
    fill(container, "terminationMessagePath", "/dev/termination-log");
    fill(container, "terminationMessagePolicy", "File");
    fill_nil(container, "resources", Map::new());
    for port in each_mut(container, "ports") {
        fill(port, "protocol", "TCP");
    }
    for env in each_mut(container, "env") {
        if let Some(source) = existing_mut(env, "valueFrom") {
            default_field_ref(source);
        }
    }
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = existing_mut(container, probe) {
            default_probe(probe);
        }
    }
    if let Some(lifecycle) = existing_mut(container, "lifecycle") {
        for hook in ["postStart", "preStop"] {
            if let Some(hook) = existing_mut(lifecycle, hook) {
                default_http_get(hook);
            }
        }
    }
}

/// A field named without a version is one of `v1`.
pub(super) fn default_field_ref(holder: &mut Map) {
    if let Some(reference) = existing_mut(holder, "fieldRef") {
        fill(reference, "apiVersion", "v1");
    }
}

fn default_probe(probe: &mut Map) {
    for (key, value) in [
        ("timeoutSeconds", 1),
        ("periodSeconds", 10),
        ("successThreshold", 1),
        ("failureThreshold", 3),
    ] {
        fill_zero(probe, key, value);
    }
    default_http_get(probe);
    if let Some(grpc) = existing_mut(probe, "grpc") {
        fill_nil(grpc, "service", "");
    }
}

fn default_http_get(handler: &mut Map) {
    if handler.contains_key("httpGet") {
        let action = map_mut(handler, "httpGet");
        fill(action, "path", "/");
        fill(action, "scheme", "HTTP");
    }
}

/// An image that may change under its name is looked for each time.
fn pull_policy(image: &str) -> &'static str {
    if image.contains('@') {
        return "IfNotPresent";
    }
    let name = image.rsplit('/').next().unwrap_or_default();
    match name.split_once(':') {
        None | Some((_, "latest")) => "Always",
        Some(_) => "IfNotPresent",
    }
}
