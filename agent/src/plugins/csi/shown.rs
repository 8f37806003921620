//! What the API shows of drivers: CSINode, an annotation of the Node, and its labels.

use crate::plugins::proto::csi::NodeGetInfoResponse;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use windlass_core::apis::core::v1::Node;
use windlass_core::apis::meta::v1::{ObjectMeta, OwnerReference};
use windlass_core::apis::storage::v1::{CSINode, CSINodeDriver, CSINodeSpec, VolumeNodeResources};
use windlass_core::client::{Client, ClientExt, Key, Patch, WriteOptions};
use windlass_core::scheme::{CSINODES, NODES};
use windlass_core::{Error, Result};

/// Ids of the node, by driver, in JSON.
const IDS: &str = "csi.volume.kubernetes.io/nodeid";
/// Others may write at the same time.
const TRIES: usize = 5;

/// Keeps it.
pub(super) struct Shown {
    pub(super) client: Arc<dyn Client>,
    pub(super) node: String,
}

// === impl Shown ===

impl Shown {
    pub(super) async fn add(&self, driver: &str, info: &NodeGetInfoResponse) -> Result<()> {
        let key = Key::cluster(NODES, &self.node);
        let node = self.client.get_as::<Node>(&key).await?;
        let segments = info.accessible_topology.clone().unwrap_or_default().segments;
        let ids = ids(&node, driver, Some(&info.node_id));
        let meta = json!({"annotations": {IDS: ids}, "labels": segments});
        self.write_node(&key, meta).await?;
        let count = i32::try_from(info.max_volumes_per_node).ok().filter(|count| *count > 0);
        let entry = CSINodeDriver {
            name: driver.to_owned(),
            node_id: info.node_id.clone(),
            topology_keys: Some(segments.into_keys().collect()),
            allocatable: count.map(|count| VolumeNodeResources { count: Some(count) }),
        };
        self.write(&node, driver, Some(&entry)).await
    }

    pub(super) async fn remove(&self, driver: &str) -> Result<()> {
        let key = Key::cluster(NODES, &self.node);
        let node = self.client.get_as::<Node>(&key).await?;
        let ids = ids(&node, driver, None);
        self.write_node(&key, json!({"annotations": {IDS: ids}})).await?;
        self.write(&node, driver, None).await
    }

    async fn write_node(&self, key: &Key, meta: Value) -> Result<()> {
        let patch = Patch::merge(&json!({"metadata": meta}));
        self.client.patch(key, patch, &WriteOptions::manager("kubelet")).await.map(drop)
    }

    async fn write(&self, node: &Node, driver: &str, entry: Option<&CSINodeDriver>) -> Result<()> {
        let key = Key::cluster(CSINODES, &self.node);
        for _ in 0..TRIES {
            let written = match self.client.get_as::<CSINode>(&key).await {
                Ok(old) => match with(&old, driver, entry) {
                    Some(new) => self.client.update_from(&key, &new).await,
                    None => return Ok(()),
                },
                Err(error) if error.is_not_found() => {
                    let Some(new) = with(&fresh(node), driver, entry) else { return Ok(()) };
                    self.client.create_from(&key, &new).await
                }
                Err(error) => return Err(error),
            };
            match written {
                Err(error) if error.is_conflict() || error.is_already_exists() => {}
                written => return written.map(drop),
            }
        }
        Err(Error::Transport("CSINode changed again and again".into()))
    }
}

/// The annotation with the node's id for one driver, or without; none when nothing is left of it.
fn ids(node: &Node, driver: &str, id: Option<&str>) -> Option<String> {
    let old = node.metadata.annotations.as_ref().and_then(|all| all.get(IDS));
    let mut ids: BTreeMap<String, String> =
        old.and_then(|old| serde_json::from_str(old).ok()).unwrap_or_default();
    match id {
        Some(id) => drop(ids.insert(driver.to_owned(), id.to_owned())),
        None => drop(ids.remove(driver)),
    }
    (!ids.is_empty()).then(|| json!(ids).to_string())
}

fn fresh(node: &Node) -> CSINode {
    let owner = OwnerReference {
        api_version: "v1".into(),
        kind: "Node".into(),
        name: node.metadata.name.clone().unwrap_or_default(),
        uid: node.metadata.uid.clone().unwrap_or_default(),
        ..OwnerReference::default()
    };
    let metadata = ObjectMeta {
        name: node.metadata.name.clone(),
        owner_references: Some(vec![owner]),
        ..ObjectMeta::default()
    };
    CSINode { metadata, spec: CSINodeSpec::default() }
}

/// A CSINode with this entry for a driver, or without one; none when that is how it is.
fn with(old: &CSINode, driver: &str, entry: Option<&CSINodeDriver>) -> Option<CSINode> {
    let mut drivers = old.spec.drivers.clone();
    drivers.retain(|known| known.name != driver);
    drivers.extend(entry.cloned());
    let mut new = old.clone();
    new.spec.drivers = drivers;
    let sorted = |node: &CSINode| {
        let mut all = node.spec.drivers.clone();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    };
    (sorted(&new) != sorted(old)).then_some(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, id: &str) -> CSINodeDriver {
        CSINodeDriver { name: name.into(), node_id: id.into(), ..CSINodeDriver::default() }
    }

    #[test]
    fn a_driver_comes_changes_and_goes_beside_others() {
        let empty = CSINode::default();
        assert!(with(&empty, "a", None).is_none(), "nothing to remove");
        let one = with(&empty, "a", Some(&entry("a", "1"))).expect("a change");
        let two = with(&one, "b", Some(&entry("b", "1"))).expect("a change");
        assert!(with(&two, "a", Some(&entry("a", "1"))).is_none(), "nothing new");
        let other = with(&two, "a", Some(&entry("a", "2"))).expect("a change");
        assert_eq!(other.spec.drivers.len(), 2);
        let left = with(&other, "a", None).expect("a change");
        assert_eq!(left.spec.drivers, [entry("b", "1")]);
    }

    #[test]
    fn ids_stand_in_one_annotation() {
        let mut node = Node::default();
        let set = |node: &mut Node, ids: String| {
            node.metadata.annotations = Some(BTreeMap::from([(IDS.to_owned(), ids)]));
        };
        let first = ids(&node, "a", Some("1")).expect("one");
        assert_eq!(first, r#"{"a":"1"}"#);
        set(&mut node, first);
        let second = ids(&node, "b", Some("2")).expect("two");
        assert_eq!(second, r#"{"a":"1","b":"2"}"#);
        assert_eq!(ids(&node, "a", None), None, "none is left");
    }
}
