//! Deleting a pod for a reason that its `DisruptionTarget` condition tells (KEP-3329).

use super::ops::Op;
use super::owner::reference_of;
use super::time::time;
use crate::views::Pod;
use jiff::Timestamp;
use serde_json::json;
use windlass_core::client::{DeleteOptions, Key};
use windlass_core::scheme::{self, GroupVersionKind};

const POD: GroupVersionKind = GroupVersionKind::new("", "v1", "Pod");

/// Why a pod has to go.
pub(crate) struct Why {
    /// Empty: it goes already, and only its end is told.
    pub(crate) reason: &'static str,
    pub(crate) message: &'static str,
    /// Reason and message of an event.
    pub(crate) event: Option<(&'static str, String)>,
    /// Nobody else will say how it ended: it has failed.
    pub(crate) failed: bool,
}

/// Marks a pod that has not ended, then deletes it.
pub(crate) fn end(pod: &Pod, why: Why, options: DeleteOptions, now: Timestamp) -> Vec<Op> {
    let header = pod.object.header();
    let key = Key::new(scheme::PODS, &*header.namespace, &*header.name);
    let mut ops = vec![];
    if let Some((reason, message)) = why.event {
        ops.push(Op::normal(reference_of(&POD, header), reason, message));
    }
    if !pod.view.is_terminal() {
        let mut status = json!({});
        if !why.reason.is_empty() {
            status["conditions"] = json!([{"type": "DisruptionTarget", "status": "True", "reason": why.reason,
                "message": why.message, "lastTransitionTime": time(now)}]);
        }
        if why.failed {
            status["phase"] = "Failed".into();
        }
        let patch = json!({"metadata": {"uid": header.uid}, "status": status});
        ops.push(Op::Strategic(key.clone().subresource("status"), patch));
    }
    let uid = DeleteOptions::uid(&*header.uid).preconditions;
    ops.push(Op::Delete(key, DeleteOptions { preconditions: uid, ..options }));
    ops
}
