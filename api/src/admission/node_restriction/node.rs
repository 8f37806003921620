//! Nodes: their labels and taints steer what runs on them.

use super::Asked;
use crate::admission::Operation;
use crate::strategy::Map;
use crate::strategy::json::{map_at, value_at};
use std::collections::BTreeSet;

const RESTRICTED: &str = "node-restriction.kubernetes.io";
/// What agents say of their machines.
const OWN: [&str; 14] = [
    "kubernetes.io/hostname",
    "kubernetes.io/os",
    "kubernetes.io/arch",
    "beta.kubernetes.io/os",
    "beta.kubernetes.io/arch",
    "node.kubernetes.io/instance-type",
    "beta.kubernetes.io/instance-type",
    "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region",
    "failure-domain.kubernetes.io/zone",
    "failure-domain.kubernetes.io/region",
    "kubernetes.io/instance-type",
];
const OWN_DOMAINS: [&str; 2] = ["kubelet.kubernetes.io", "node.kubernetes.io"];

// === impl Asked ===

impl Asked<'_, '_> {
    pub(super) fn node(&self) -> Result<(), String> {
        let (node, name) = (self.node, self.name());
        match (self.request.operation, &self.request.object) {
            (Operation::Create, Some(new)) => {
                let bad = forbidden(&Map::new(), labels(new));
                if !bad.is_empty() {
                    return Err(format!(
                        "node \"{node}\" is not allowed to set the following labels: {bad}"
                    ));
                }
                if name != node {
                    return Err(format!(
                        "node \"{node}\" is not allowed to modify node \"{name}\""
                    ));
                }
            }
            (Operation::Update, Some(new)) => {
                if name != node {
                    return Err(format!(
                        "node \"{node}\" is not allowed to modify node \"{name}\""
                    ));
                }
                let empty = Map::new();
                let old = self.request.old.unwrap_or(&empty);
                if owners(new) != owners(old) {
                    return Err(format!(
                        "node \"{node}\" is not allowed to modify ownerReferences"
                    ));
                }
                if taints(new) != taints(old) {
                    return Err(format!("node \"{node}\" is not allowed to modify taints"));
                }
                let bad = forbidden(labels(old).unwrap_or(&empty), labels(new));
                if !bad.is_empty() {
                    return Err(format!("node \"{node}\" is not allowed to modify labels: {bad}"));
                }
            }
            _ if name != node => {
                return Err(format!("node \"{node}\" is not allowed to modify node \"{name}\""));
            }
            _ => {}
        }
        Ok(())
    }
}

fn labels(node: &Map) -> Option<&Map> {
    map_at(node, &["metadata", "labels"])
}

/// Who made itself owned by what is gone would be collected, and come back without its taints.
fn owners(node: &Map) -> Option<&serde_json::Value> {
    value_at(node, &["metadata", "ownerReferences"])
}

fn taints(node: &Map) -> &[serde_json::Value] {
    value_at(node, &["spec", "taints"])
        .and_then(|taints| taints.as_array())
        .map_or(&[], Vec::as_slice)
}

/// The changed labels that are not a node's to change.
fn forbidden(old: &Map, new: Option<&Map>) -> String {
    let empty = Map::new();
    let new = new.unwrap_or(&empty);
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let changed = keys.into_iter().filter(|key| old.get(*key) != new.get(*key));
    changed.filter(|key| is_forbidden(key)).cloned().collect::<Vec<_>>().join(", ")
}

fn is_forbidden(label: &str) -> bool {
    let domain = label.split_once('/').map_or("", |(domain, _)| domain);
    let lies_in = |parent: &str| {
        domain == parent || domain.strip_suffix(parent).is_some_and(|rest| rest.ends_with('.'))
    };
    if lies_in(RESTRICTED) {
        return true;
    }
    let reserved = lies_in("kubernetes.io") || lies_in("k8s.io");
    reserved && !OWN.contains(&label) && !OWN_DOMAINS.iter().any(|own| lies_in(own))
}
