//! Marks of disruptions that did not come (KEP-3329).

use crate::support::ops::Op;
use crate::support::time::{time, until};
use crate::views::{Pod, PodView};
use jiff::Timestamp;
use serde_json::json;
use std::time::Duration;
use windlass_core::client::Key;
use windlass_core::scheme;

const MARK: &str = "DisruptionTarget";
/// A pod that lives so long after it was marked was not deleted after all.
const TIMEOUT: i64 = 120;

/// Whether a pod is marked, and lives.
pub(super) fn is_marked(pod: &PodView) -> bool {
    pod.is_active() && pod.condition(MARK).is_some_and(|mark| mark.status == "True")
}

/// What takes the mark from a pod; or how long to wait with that.
pub(super) fn plan(pod: &Pod, now: Timestamp) -> Result<Op, Option<Duration>> {
    let mark = pod.view.condition(MARK).filter(|_| is_marked(&pod.view)).ok_or(None)?;
    let since = mark.last_transition_time.as_ref().map_or(now, |since| since.0);
    let left = until(since, TIMEOUT, now);
    if !left.is_zero() {
        return Err(Some(left));
    }
    let header = pod.object.header();
    let condition = json!({"type": MARK, "status": "False", "reason": null, "message": null, "lastTransitionTime": time(now)});
    let patch = json!({"metadata": {"uid": header.uid}, "status": {"conditions": [condition]}});
    let key = Key::new(scheme::PODS, &*header.namespace, &*header.name);
    Ok(Op::Strategic(key.subresource("status"), patch))
}
