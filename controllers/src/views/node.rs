//! Nodes.

use serde::{Deserialize, Serialize};
use windlass_core::apis::meta::v1::Time;

/// What controllers read of each node.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct NodeView {
    pub(crate) metadata: Metadata,
    pub(crate) spec: Spec,
    pub(crate) status: Status,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Metadata {
    pub(crate) creation_timestamp: Option<Time>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Spec {
    pub(crate) taints: Vec<Taint>,
    pub(crate) unschedulable: bool,
    #[serde(rename = "podCIDRs")]
    pub(crate) pod_cidrs: Vec<String>,
    #[serde(rename = "podCIDR")]
    pub(crate) pod_cidr: String,
}

/// A taint (`v1.Taint`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Taint {
    pub(crate) key: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) value: String,
    pub(crate) effect: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) time_added: Option<Time>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Status {
    pub(crate) conditions: Vec<Condition>,
    pub(crate) allocatable: Allocatable,
    pub(crate) volumes_in_use: Option<Vec<String>>,
    pub(crate) volumes_attached: Option<Vec<AttachedVolume>>,
}

/// A volume that is attached to the node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct AttachedVolume {
    pub(crate) name: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Allocatable {
    pub(crate) cpu: String,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Condition {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) status: String,
    pub(crate) last_heartbeat_time: Option<Time>,
}

// === impl NodeView ===

impl NodeView {
    /// The status of a condition, if it is there.
    pub(crate) fn condition(&self, kind: &str) -> Option<&str> {
        let found = self.status.conditions.iter().find(|condition| condition.kind == kind);
        found.map(|condition| condition.status.as_str())
    }

    /// When the node last reported its status.
    pub(crate) fn heartbeat(&self) -> Option<&Time> {
        let ready = self.status.conditions.iter().find(|condition| condition.kind == "Ready");
        ready.and_then(|ready| ready.last_heartbeat_time.as_ref())
    }
}
