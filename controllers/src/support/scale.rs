//! The `scale` of any kind that has one.

use super::kinds::Definition;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use windlass_core::Result;
use windlass_core::cache::Informer;
use windlass_core::client::{Client, Key, Patch, WriteOptions};
use windlass_core::scheme::{GroupVersion, GroupVersionResource, Scheme};

/// A scale (`autoscaling/v1`).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Scale {
    pub(crate) metadata: Metadata,
    pub(crate) spec: Size,
    pub(crate) status: Size,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Metadata {
    resource_version: String,
    pub(crate) uid: String,
}

/// Half of one: the spec has no selector.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Size {
    pub(crate) replicas: i32,
    pub(crate) selector: String,
}

/// Where the scale of an object is; the error is told to users.
pub(crate) fn key(
    (version, kind, name): (&str, &str, &str),
    namespace: &str,
    definitions: &Informer<Definition>,
) -> std::result::Result<Key, String> {
    let version: GroupVersion = version
        .parse()
        .map_err(|_| format!("invalid API version in scale target reference: {version}"))?;
    let resource = resource(&version, kind, definitions).ok_or_else(|| {
        format!("no matches for kind \"{}\" in group \"{}\"", kind, version.group)
    })?;
    Ok(Key::new(resource, namespace, name).subresource("scale"))
}

/// The resource of a kind, in the version named or in another one of its group.
fn resource(
    version: &GroupVersion,
    kind: &str,
    definitions: &Informer<Definition>,
) -> Option<GroupVersionResource> {
    let scheme = Scheme::builtin();
    let exact = scheme.by_gvk(&version.with_kind(kind.to_owned()));
    let of_group =
        || scheme.iter().find(|info| info.gvr.group == version.group && info.kind == kind);
    if let Some(info) = exact.or_else(of_group) {
        return Some(info.gvr.clone());
    }
    let kinds = definitions.list(None).into_iter().filter_map(|entry| entry.view.kind());
    let mut fits =
        kinds.filter(|found| found.kind == kind && found.resource.group == version.group);
    fits.next().map(|found| found.resource)
}

/// Asks for so many replicas, if nobody has written the object since `read`: somebody may have scaled it by hand.
pub(crate) async fn scale(
    client: &Arc<dyn Client>,
    key: &Key,
    read: &Scale,
    replicas: i32,
) -> Result<()> {
    let patch = Patch::merge(&patch(read, replicas));
    client.patch(key, patch, &WriteOptions::default()).await.map(drop)
}

fn patch(read: &Scale, replicas: i32) -> Value {
    let version = Some(&read.metadata.resource_version).filter(|version| !version.is_empty());
    json!({"metadata": {"resourceVersion": version}, "spec": {"replicas": replicas}})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_is_written_over_what_was_read() {
        let read = json!({"metadata": {"resourceVersion": "7"}, "spec": {"replicas": 1}});
        let patch = patch(&serde_json::from_value(read).unwrap(), 3);
        assert_eq!(patch, json!({"metadata": {"resourceVersion": "7"}, "spec": {"replicas": 3}}));
    }
}
