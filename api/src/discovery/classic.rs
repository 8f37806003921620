//! The classic documents.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use windlass_core::scheme::{GroupVersion, GroupVersionKind, ResourceInfo};

use super::{
    Root,
    groups::{Group, groups},
};

/// The document of `/api`. `server_address` is where clients reach the server: `10.0.0.1:6443`.
#[must_use]
pub fn api_versions(resources: &[Arc<ResourceInfo>], server_address: &str) -> Value {
    let core = groups(resources, Root::Core);
    let versions: Vec<_> =
        core.iter().flat_map(|group| &group.versions).map(|version| version.name).collect();
    json!({
        "kind": "APIVersions",
        "versions": versions,
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": server_address}],
    })
}

/// The document of `/apis`.
#[must_use]
pub fn api_group_list(resources: &[Arc<ResourceInfo>]) -> Value {
    let groups: Vec<_> = groups(resources, Root::Groups).iter().map(group_body).collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

/// The document of `/apis/{group}`, if it has resources.
#[must_use]
pub fn api_group(resources: &[Arc<ResourceInfo>], group: &str) -> Option<Value> {
    let groups = groups(resources, Root::Groups);
    let body = group_body(groups.iter().find(|candidate| candidate.name == group)?);
    let mut document =
        Map::from_iter([("kind".into(), json!("APIGroup")), ("apiVersion".into(), json!("v1"))]);
    if let Value::Object(body) = body {
        document.extend(body);
    }
    Some(Value::Object(document))
}

/// The document of `/api/v1` or `/apis/{group}/{version}`, if it has resources.
#[must_use]
pub fn api_resource_list(resources: &[Arc<ResourceInfo>], version: &GroupVersion) -> Option<Value> {
    let root = if version.group.is_empty() { Root::Core } else { Root::Groups };
    let groups = groups(resources, root);
    let group = groups.iter().find(|group| group.name == version.group)?;
    let found = group.versions.iter().find(|candidate| candidate.name == version.version)?;
    let rows: Vec<_> = found.resources.iter().flat_map(|info| rows(info)).collect();
    let mut document = Map::from_iter([("kind".into(), json!("APIResourceList"))]);
    if root == Root::Groups {
        document.insert("apiVersion".into(), json!("v1"));
    }
    document.insert("groupVersion".into(), json!(version.to_string()));
    document.insert("resources".into(), Value::Array(rows));
    Some(Value::Object(document))
}

fn group_body(group: &Group<'_>) -> Value {
    let entries = group.versions.iter().map(|version| {
        json!({"groupVersion": format!("{}/{}", group.name, version.name), "version": version.name})
    });
    let versions: Vec<_> = entries.collect();
    json!({"name": group.name, "versions": versions, "preferredVersion": versions.first()})
}

/// The entry of a resource and those of its subresources.
fn rows(info: &ResourceInfo) -> Vec<Value> {
    let mut row = head(info, info.gvr.resource.to_string(), &info.singular, &info.gvk());
    row.insert("verbs".into(), json!(info.verbs));
    for (name, words) in [("shortNames", &info.short_names), ("categories", &info.categories)] {
        if !words.is_empty() {
            row.insert(name.into(), json!(words));
        }
    }
    if info.has_verb("list") && info.has_verb("create") {
        row.insert("storageVersionHash".into(), json!(storage_version_hash(info)));
    }
    let subresources = info.subresources.iter().map(|subresource| {
        let name = format!("{}/{}", info.gvr.resource, subresource.name);
        let mut row = head(info, name, "", &subresource.gvk);
        row.insert("verbs".into(), json!(subresource.verbs));
        Value::Object(row)
    });
    std::iter::once(Value::Object(row)).chain(subresources).collect()
}

fn head(
    info: &ResourceInfo,
    name: String,
    singular: &str,
    gvk: &GroupVersionKind,
) -> Map<String, Value> {
    let mut row = Map::from_iter([
        ("name".into(), json!(name)),
        ("singularName".into(), json!(singular)),
        ("namespaced".into(), json!(info.namespaced)),
    ]);
    if gvk.group_version() != info.gvr.group_version() {
        if !gvk.group.is_empty() {
            row.insert("group".into(), json!(gvk.group));
        }
        row.insert("version".into(), json!(gvk.version));
    }
    row.insert("kind".into(), json!(gvk.kind));
    row
}

/// A short text that changes when the version changes that objects are stored in.
fn storage_version_hash(info: &ResourceInfo) -> String {
    let name = format!("{}/{}/{}", info.storage.group, info.storage.version, info.kind);
    STANDARD.encode(&Sha256::digest(name)[..8])
}
