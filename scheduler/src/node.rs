//! What the scheduler knows of a node.

use crate::snapshot::{Resources, resource_amounts};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use windlass_core::apis::core::v1::Taint;
use windlass_core::meta::{Str, intern};
use windlass_core::object::{Labels, Object};

/// A node as it enters the columns of the snapshot.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeInfo {
    /// Its name.
    pub name: Str,
    /// Its labels.
    pub labels: Labels,
    /// What it has for pods.
    pub allocatable: Resources,
    /// Its taints.
    pub taints: Vec<Taint>,
    /// It is cordoned.
    pub unschedulable: bool,
    /// The images it has.
    pub images: Vec<NodeImage>,
}

/// An image that a node has.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeImage {
    /// Under these names, tags and digests.
    pub names: Vec<Str>,
    /// In bytes.
    pub size: i64,
}

#[derive(Deserialize)]
struct View {
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Spec {
    taints: Vec<Taint>,
    unschedulable: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Status {
    allocatable: BTreeMap<String, String>,
    capacity: BTreeMap<String, String>,
    images: Vec<Image>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Image {
    names: Vec<String>,
    size_bytes: i64,
}

impl NodeInfo {
    /// Reads a node.
    ///
    /// # Errors
    /// When the object is no node.
    pub fn new(object: &Object) -> windlass_core::Result<Self> {
        let View { spec, status } = object.view()?;
        let amounts =
            if status.allocatable.is_empty() { status.capacity } else { status.allocatable };
        // A quantity that can't be read offers nothing.
        let amounts = amounts.into_iter().filter_map(|(name, q)| Some((name, q.parse().ok()?)));
        Ok(Self {
            name: object.name().into(),
            labels: object.header().labels.clone(),
            allocatable: resource_amounts(amounts),
            taints: spec.taints,
            unschedulable: spec.unschedulable,
            images: status.images.into_iter().map(NodeImage::from).collect(),
        })
    }
}

impl From<Image> for NodeImage {
    fn from(image: Image) -> Self {
        let names = image.names.iter().map(|name| intern(name)).collect();
        Self { names, size: image.size_bytes }
    }
}

impl From<&NodeInfo> for Arc<NodeInfo> {
    fn from(node: &NodeInfo) -> Self {
        Arc::new(node.clone())
    }
}
