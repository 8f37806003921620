//! Volumes.

use super::super::format::{config_map_key, dns1123_label};
use super::super::rules::{quantity, texts};
use super::super::{Errors, Path};
use super::container::Volumes;
use crate::strategy::Map;
use crate::strategy::json::{int_of, is_empty, is_nil, maps_of, str_of};

/// The field that each kind of volume can't do without.
const REQUIRED: [(&str, &[&str]); 10] = [
    ("hostPath", &["path"]),
    ("secret", &["secretName"]),
    ("configMap", &["name"]),
    ("persistentVolumeClaim", &["claimName"]),
    ("nfs", &["server", "path"]),
    ("csi", &["driver"]),
    ("glusterfs", &["endpoints", "path"]),
    ("iscsi", &["targetPortal", "iqn"]),
    ("awsElasticBlockStore", &["volumeID"]),
    ("gcePersistentDisk", &["pdName"]),
];
const HOST_PATHS: [&str; 8] = [
    "",
    "DirectoryOrCreate",
    "Directory",
    "FileOrCreate",
    "File",
    "Socket",
    "CharDevice",
    "BlockDevice",
];

/// The volumes of a pod, for the mounts to be checked against.
pub(super) fn validate(spec: &Map, path: &Path<'_>, errors: &mut Errors) -> Volumes {
    let list = path.child("volumes");
    let mut volumes = Volumes::new();
    for (at, volume) in maps_of(spec, "volumes") {
        let path = list.index(at);
        let name = str_of(volume, "name");
        if name.is_empty() {
            errors.required(path.child("name"), "");
        } else {
            texts(path.child("name"), name, &dns1123_label(name), errors);
        }
        if volumes.contains_key(name) {
            errors.duplicate(path.child("name"), name);
        }
        let claim = !is_nil(volume, "persistentVolumeClaim") || !is_nil(volume, "ephemeral");
        volumes.insert(name.to_owned(), claim);
        source(volume, &path, errors);
    }
    volumes
}

fn source(volume: &Map, path: &Path<'_>, errors: &mut Errors) {
    let mut kinds = volume.iter().filter(|(key, value)| *key != "name" && !value.is_null());
    let Some((kind, source)) = kinds.next() else {
        return errors.required(path, "must specify a volume type");
    };
    for (other, _) in kinds {
        errors.forbidden(path.child(other), "may not specify more than 1 volume type");
    }
    let Some(source) = source.as_object() else { return };
    let path = path.child(kind);
    let required = REQUIRED.iter().find(|(name, _)| name == kind).map(|(_, keys)| *keys);
    for key in required.unwrap_or_default() {
        if is_empty(source, key) {
            errors.required(path.child(key), "");
        }
    }
    match kind.as_str() {
        "emptyDir" => empty_dir(source, &path, errors),
        "hostPath" => host_path(source, &path, errors),
        "secret" | "configMap" | "downwardAPI" => {
            mode(source, &path, errors);
            items(source, kind, &path, errors);
        }
        "projected" => projected(source, &path, errors),
        "ephemeral" if is_empty(source, "volumeClaimTemplate") => {
            errors.required(path.child("volumeClaimTemplate"), "");
        }
        _ => {}
    }
}

fn empty_dir(source: &Map, path: &Path<'_>, errors: &mut Errors) {
    let limit = source.get("sizeLimit").and_then(quantity);
    if limit.is_some_and(|limit| limit.milli() < 0) {
        let detail = "SizeLimit field must be a valid resource quantity";
        errors.forbidden(path.child("sizeLimit"), detail);
    }
}

fn host_path(source: &Map, path: &Path<'_>, errors: &mut Errors) {
    let target = str_of(source, "path");
    if target.split('/').any(|part| part == "..") {
        errors.invalid(path.child("path"), target, "must not contain '..'");
    }
    let kind = str_of(source, "type");
    if !HOST_PATHS.contains(&kind) {
        errors.not_supported(path.child("type"), kind, &HOST_PATHS);
    }
}

fn mode(source: &Map, path: &Path<'_>, errors: &mut Errors) {
    for key in ["defaultMode", "mode"] {
        let value = source.get(key).and_then(serde_json::Value::as_i64);
        if let Some(value) = value.filter(|value| !(0..=0o777).contains(value)) {
            let detail = "must be a number between 0 and 0777 (octal), both inclusive";
            errors.invalid(path.child(key), value, detail);
        }
    }
}

fn items(source: &Map, kind: &str, path: &Path<'_>, errors: &mut Errors) {
    let list = path.child("items");
    for (at, item) in maps_of(source, "items") {
        let path = list.index(at);
        mode(item, &path, errors);
        let target = str_of(item, "path");
        if target.is_empty() {
            errors.required(path.child("path"), "");
        } else if target.starts_with('/') {
            errors.invalid(path.child("path"), target, "must be a relative path");
        } else if target.split('/').any(|part| part == "..") {
            errors.invalid(path.child("path"), target, "must not contain '..'");
        }
        if kind == "downwardAPI" {
            if is_nil(item, "fieldRef") && is_nil(item, "resourceFieldRef") {
                errors.required(path, "one of fieldRef and resourceFieldRef is required");
            }
        } else if is_empty(item, "key") {
            errors.required(path.child("key"), "");
        } else {
            let key = str_of(item, "key");
            texts(path.child("key"), key, &config_map_key(key), errors);
        }
    }
}

fn projected(source: &Map, path: &Path<'_>, errors: &mut Errors) {
    mode(source, path, errors);
    let list = path.child("sources");
    for (at, part) in maps_of(source, "sources") {
        let path = list.index(at);
        let mut kinds = part.iter().filter(|(_, value)| !value.is_null());
        let Some((kind, part)) = kinds.next() else { continue };
        for (other, _) in kinds {
            errors
                .forbidden(path.child(other), "may not specify more than 1 volume type per source");
        }
        let Some(part) = part.as_object() else { continue };
        let path = path.child(kind);
        match kind.as_str() {
            "secret" | "configMap" => {
                if is_empty(part, "name") {
                    errors.required(path.child("name"), "");
                }
                items(part, kind, &path, errors);
            }
            "downwardAPI" => items(part, kind, &path, errors),
            "serviceAccountToken" => {
                if is_empty(part, "path") {
                    errors.required(path.child("path"), "");
                }
                let seconds = int_of(part, "expirationSeconds").unwrap_or(3600);
                if seconds < 600 {
                    let detail = "may not specify a duration less than 10 minutes";
                    errors.invalid(path.child("expirationSeconds"), seconds, detail);
                }
            }
            _ => {}
        }
    }
}
