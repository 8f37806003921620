//! What is to be said of a node, and of its pods.

use crate::support::ops::Op;
use crate::support::owner::reference_of;
use crate::support::time::time;
use crate::views::{NodeView, Pod, Taint};
use jiff::Timestamp;
use serde_json::json;
use windlass_core::apis::core::v1::NodeCondition;
use windlass_core::client::Key;
use windlass_core::scheme::{self, GroupVersionKind};

pub(super) const NOT_READY: &str = "node.kubernetes.io/not-ready";
pub(super) const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
const REPORTED: [&str; 4] = ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"];
const POD: GroupVersionKind = GroupVersionKind::new("", "v1", "Pod");

/// Taints that stand for a condition: condition, its status, taint.
const BY_CONDITION: [(&str, &str, &str); 6] = [
    ("Ready", "False", NOT_READY),
    ("Ready", "Unknown", UNREACHABLE),
    ("MemoryPressure", "True", "node.kubernetes.io/memory-pressure"),
    ("DiskPressure", "True", "node.kubernetes.io/disk-pressure"),
    ("PIDPressure", "True", "node.kubernetes.io/pid-pressure"),
    ("NetworkUnavailable", "True", "node.kubernetes.io/network-unavailable"),
];
const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";

/// The conditions of a node that is silent, if they are to change.
pub(super) fn silent(before: &[NodeCondition], now: Timestamp) -> Option<Vec<NodeCondition>> {
    let mut conditions = before.to_vec();
    for kind in REPORTED {
        match conditions.iter_mut().find(|condition| condition.type_ == kind) {
            Some(known) if known.status == "Unknown" => {}
            Some(known) => {
                known.status = "Unknown".into();
                known.reason = Some("NodeStatusUnknown".into());
                known.message = Some("Kubelet stopped posting node status.".into());
                known.last_transition_time = Some(time(now));
            }
            None => conditions.push(NodeCondition {
                type_: kind.into(),
                status: "Unknown".into(),
                reason: Some("NodeStatusNeverUpdated".into()),
                message: Some("Kubelet never posted node status.".into()),
                last_transition_time: Some(time(now)),
                last_heartbeat_time: None,
            }),
        }
    }
    (conditions != before).then_some(conditions)
}

/// Whether a node lacks the taint that drives its pods out. One that has one of the two may have the other at once.
pub(super) fn would_evict(node: &NodeView) -> bool {
    let has = node.spec.taints.iter().any(|taint| {
        taint.effect == "NoExecute" && (taint.key == NOT_READY || taint.key == UNREACHABLE)
    });
    !has && matches!(node.condition("Ready"), Some("False" | "Unknown"))
}

/// The taints a node shall have, if they are to change. Taints of others stay; those that drive pods out come only when
/// the node has its `turn`.
pub(super) fn taints(node: &NodeView, turn: bool, now: Timestamp) -> Option<Vec<Taint>> {
    let mut taints = node.spec.taints.clone();
    let holds = |(kind, status, _): &&(&str, &str, &str)| node.condition(kind) == Some(*status);
    let mut wanted: Vec<(&str, &str)> =
        BY_CONDITION.iter().filter(holds).map(|(_, _, taint)| (*taint, "NoSchedule")).collect();
    if node.spec.unschedulable {
        wanted.push((UNSCHEDULABLE, "NoSchedule"));
    }
    match node.condition("Ready") {
        Some("False") if turn => wanted.push((NOT_READY, "NoExecute")),
        Some("Unknown") if turn => wanted.push((UNREACHABLE, "NoExecute")),
        _ => {}
    }
    taints.retain(|taint| !is_ours(taint) || wanted.contains(&(&*taint.key, &*taint.effect)));
    for (key, effect) in wanted {
        if !taints.iter().any(|taint| taint.key == key && taint.effect == effect) {
            taints.push(Taint {
                key: key.into(),
                value: String::new(),
                effect: effect.into(),
                time_added: Some(time(now)),
            });
        }
    }
    (taints != node.spec.taints).then_some(taints)
}

/// A taint this controller sets and takes away. Until a node has reported it keeps those it was made with.
fn is_ours(taint: &Taint) -> bool {
    let no_schedule =
        BY_CONDITION.iter().any(|(_, _, key)| taint.key == *key) || taint.key == UNSCHEDULABLE;
    match taint.effect.as_str() {
        "NoSchedule" => no_schedule,
        "NoExecute" => taint.key == NOT_READY || taint.key == UNREACHABLE,
        _ => false,
    }
}

/// Says of each pod that its node has been lost.
pub(super) fn pods(pods: &[Pod], now: Timestamp) -> Vec<Op> {
    let ready = pods.iter().filter(|pod| pod.view.is_ready());
    ready.flat_map(|pod| {
        let header = pod.object.header();
        let key = Key::new(scheme::PODS, &*header.namespace, &*header.name).subresource("status");
        let condition = json!({"type": "Ready", "status": "False", "reason": "NodeNotReady", "lastTransitionTime": time(now)});
        let patch = json!({"metadata": {"uid": header.uid}, "status": {"conditions": [condition]}});
        let event = Op::warning(reference_of(&POD, header), "NodeNotReady", "Node is not ready");
        [Op::Strategic(key, patch), event]
    })
    .collect()
}
