//! The aggregated documents: everything below a root at once.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use windlass_core::scheme::{GroupVersionKind, ResourceInfo, SubresourceInfo};

use super::{
    Root,
    groups::{Group, Version, groups},
};

/// The version of the aggregated form. Clients up to 1.29 ask for the beta.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregated {
    /// `apidiscovery.k8s.io/v2`.
    V2,
    /// `apidiscovery.k8s.io/v2beta1`.
    V2Beta1,
}

/// The aggregated document of `/api` or `/apis`.
#[must_use]
pub fn aggregated(resources: &[Arc<ResourceInfo>], root: Root, form: Aggregated) -> Value {
    let items: Vec<_> = groups(resources, root).iter().map(group).collect();
    json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": format!("apidiscovery.k8s.io/{}", form.version()),
        "metadata": {},
        "items": items,
    })
}

fn group(group: &Group<'_>) -> Value {
    let versions: Vec<_> = group.versions.iter().map(version).collect();
    let metadata = match group.name {
        "" => json!({}),
        name => json!({"name": name}),
    };
    json!({"metadata": metadata, "versions": versions})
}

fn version(version: &Version<'_>) -> Value {
    let resources: Vec<_> = version.resources.iter().map(|info| resource(info)).collect();
    json!({"version": version.name, "resources": resources, "freshness": "Current"})
}

fn resource(info: &ResourceInfo) -> Value {
    let mut row = Map::from_iter([
        ("resource".into(), json!(info.gvr.resource)),
        ("responseKind".into(), kind(&info.gvk())),
        ("scope".into(), json!(if info.namespaced { "Namespaced" } else { "Cluster" })),
        ("singularResource".into(), json!(info.singular)),
        ("verbs".into(), json!(info.verbs)),
    ]);
    for (name, words) in [("shortNames", &info.short_names), ("categories", &info.categories)] {
        if !words.is_empty() {
            row.insert(name.into(), json!(words));
        }
    }
    if !info.subresources.is_empty() {
        row.insert("subresources".into(), info.subresources.iter().map(subresource).collect());
    }
    Value::Object(row)
}

fn subresource(info: &SubresourceInfo) -> Value {
    json!({"subresource": info.name, "responseKind": kind(&info.gvk), "verbs": info.verbs})
}

fn kind(gvk: &GroupVersionKind) -> Value {
    json!({"group": gvk.group, "version": gvk.version, "kind": gvk.kind})
}

// === impl Aggregated ===

impl Aggregated {
    /// All forms, the preferred one first.
    pub const ALL: [Self; 2] = [Self::V2, Self::V2Beta1];

    /// The version in media types and in `apiVersion`: `v2`.
    #[must_use]
    pub const fn version(self) -> &'static str {
        match self {
            Self::V2 => "v2",
            Self::V2Beta1 => "v2beta1",
        }
    }

    /// The media type of the document.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::V2 => "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
            Self::V2Beta1 => {
                "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList"
            }
        }
    }
}
