//! From names of resources to kinds that can be followed.

use serde::Deserialize;
use windlass_core::cache::Informer;
use windlass_core::scheme::{GroupVersionResource, Scheme};

/// What a CustomResourceDefinition says of how its objects are reached.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct Definition {
    spec: Spec,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Spec {
    scope: String,
    #[serde(default)]
    versions: Vec<Version>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Version {
    name: String,
    #[serde(default)]
    served: bool,
}

/// A built-in resource; none inside when its objects can't be counted in a namespace.
pub(super) fn builtin(group: &str, resource: &str) -> Option<Option<GroupVersionResource>> {
    let info = Scheme::builtin().by_group_resource(group, resource)?;
    let counted = info.namespaced && info.has_verb("list") && info.has_verb("watch");
    Some(counted.then(|| info.gvr.clone()))
}

/// A defined resource, in the first version that is served: a definition has the name of what it defines.
pub(super) fn defined(
    definitions: &Informer<Definition>,
    group: &str,
    resource: &str,
) -> Option<GroupVersionResource> {
    let entry = definitions.get("", &format!("{resource}.{group}"))?;
    let spec = &entry.view.spec;
    let version = spec.versions.iter().find(|version| version.served)?;
    (spec.scope == "Namespaced").then(|| GroupVersionResource {
        group: group.to_owned().into(),
        version: version.name.clone().into(),
        resource: resource.to_owned().into(),
    })
}
