//! Marks of disruptions that did not come (KEP-3329).

use crate::support::ops::Op;
use crate::support::time::{time, until};
use crate::views::{Pod, PodView};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;
use windlass_core::client::Key;
use windlass_core::scheme;

const MARK: &str = "DisruptionTarget";
/// A pod that lives so long after it was marked was not deleted after all.
const TIMEOUT: i64 = 120;

/// The reason when it was an agent that marked the pod.
const BY_AGENT: &str = "TerminationByKubelet";

#[derive(Deserialize)]
struct Whole {
    status: Status,
}

#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    conditions: Vec<Mark>,
}

#[derive(Deserialize)]
struct Mark {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    reason: String,
}

/// Whether a pod is marked, and lives.
pub(super) fn is_marked(pod: &PodView) -> bool {
    pod.is_active() && pod.condition(MARK).is_some_and(|mark| mark.status == "True")
}

/// An agent that has marked a pod ends it itself, however long that takes. Seldom asked, so no cache keeps the reason.
fn is_of_agent(pod: &Pod) -> bool {
    let view = pod.object.view::<Whole>();
    let marks = view.into_iter().flat_map(|pod| pod.status.conditions);
    marks.into_iter().any(|mark| mark.kind == MARK && mark.reason == BY_AGENT)
}

/// What takes the mark from a pod; or how long to wait with that.
pub(super) fn plan(pod: &Pod, now: Timestamp) -> Result<Op, Option<Duration>> {
    let mark = pod.view.condition(MARK).filter(|_| is_marked(&pod.view)).ok_or(None)?;
    if is_of_agent(pod) {
        return Err(None);
    }
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
