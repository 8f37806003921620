//! Which pods to collect.

use crate::support::disruption::{Why, end};
use crate::support::ops::Op;
use crate::support::pods::created;
use crate::views::{NodeView, Pod};
use jiff::Timestamp;
use windlass_core::client::DeleteOptions;

const OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";

/// What makes a pod go whose node is gone (`true`), or that was deleted before it was bound.
pub(super) fn lost(pod: &Pod, node_is_gone: bool, now: Timestamp) -> Vec<Op> {
    let unbound = pod.view.spec.node_name.is_empty();
    let message =
        if unbound { "PodGC: terminating unscheduled pod" } else { "PodGC: node no longer exists" };
    let why = Why { reason: "DeletionByPodGC", message, event: None, failed: true };
    let collect = if unbound { pod.object.header().deleting } else { node_is_gone };
    if collect { end(pod, why, at_once(), now) } else { vec![] }
}

/// Whether the administrator says that a node is down and runs nothing any more.
pub(super) fn is_out_of_service(node: &NodeView) -> bool {
    let marked = node.spec.taints.iter().any(|taint| taint.key == OUT_OF_SERVICE);
    marked && node.condition("Ready") != Some("True")
}

/// What makes a pod go that ends on a node that will not tell (KEP-2268).
pub(super) fn out_of_service(pod: &Pod, now: Timestamp) -> Vec<Op> {
    if !pod.object.header().deleting {
        return vec![];
    }
    end(pod, Why { reason: "", message: "", event: None, failed: true }, at_once(), now)
}

/// What makes the oldest go of more pods than may stay after their end.
pub(super) fn terminated(mut pods: Vec<Pod>, threshold: usize, now: Timestamp) -> Vec<Op> {
    if threshold == 0 || pods.len() <= threshold {
        return vec![];
    }
    pods.sort_by_key(|pod| created(&pod.view));
    let surplus = pods.len() - threshold;
    let why = || Why { reason: "DeletionByPodGC", message: "", event: None, failed: false };
    pods.iter().take(surplus).flat_map(|pod| end(pod, why(), at_once(), now)).collect()
}

fn at_once() -> DeleteOptions {
    DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() }
}
