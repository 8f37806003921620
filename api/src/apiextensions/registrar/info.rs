//! What discovery says of a version.

use crate::apiextensions::definition::{Definition, Names, Version};
use std::borrow::Cow;
use std::sync::Arc;
use windlass_core::scheme::{GroupVersion, GroupVersionKind, ResourceInfo, SubresourceInfo};

const VERBS: [&str; 8] =
    ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
const PART_VERBS: [&str; 3] = ["get", "patch", "update"];
const SCALE: GroupVersionKind = GroupVersionKind::new("autoscaling", "v1", "Scale");

/// The resource that a version is served as.
pub(super) fn resource(
    definition: &Definition<'_>,
    version: &Version<'_>,
    names: &Names,
    storage: &GroupVersion,
) -> Arc<ResourceInfo> {
    let served = definition.version(version);
    let subresources = version.subresources.as_ref();
    let part = |name: &'static str, gvk| SubresourceInfo {
        name: Cow::Borrowed(name),
        gvk,
        verbs: PART_VERBS.map(Cow::Borrowed).to_vec(),
    };
    let scale = subresources.filter(|parts| parts.scale.is_some()).map(|_| part("scale", SCALE));
    let status = subresources.filter(|parts| parts.status.is_some());
    let status = status.map(|_| part("status", served.with_kind(names.kind.clone())));
    Arc::new(ResourceInfo {
        gvr: served.with_resource(names.plural.clone()),
        kind: names.kind.clone().into(),
        singular: names.singular.clone().into(),
        namespaced: definition.spec.scope == "Namespaced",
        verbs: VERBS.map(Cow::Borrowed).to_vec(),
        short_names: words(&names.short_names),
        categories: words(&names.categories),
        storage: storage.clone(),
        subresources: scale.into_iter().chain(status).collect(),
    })
}

fn words(words: &[String]) -> Vec<Cow<'static, str>> {
    words.iter().cloned().map(Cow::Owned).collect()
}
