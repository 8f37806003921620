//! Tells people and controllers why a pod got no node.

use super::reference;
use crate::PodInfo;
use crate::framework::Unschedulable;
use crate::queue::Report;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;
use windlass_core::client::{Client, Key, Patch, WriteOptions};
use windlass_core::clock::Env;
use windlass_core::events::{EventType, Recorder};
use windlass_core::scheme;

pub(super) struct Failures {
    pub(super) client: Arc<dyn Client>,
    pub(super) recorder: Recorder,
    env: Env,
}

impl Failures {
    pub(super) fn new(client: Arc<dyn Client>, recorder: Recorder, env: Env) -> Self {
        Self { client, recorder, env }
    }

    /// The time, as objects say it.
    pub(super) fn now(&self) -> String {
        wire_time(self.env.clock.now())
    }

    /// An event, and the condition `PodScheduled=False`, which is written only when it says something new.
    pub(super) async fn report(&self, pod: &PodInfo, why: &Unschedulable, last: &mut Report) {
        let text = &*why.message;
        self.recorder.event(reference(pod), EventType::Warning, "FailedScheduling", text);
        let promised = last.nominated.is_some() || !pod.nominated_node_name.is_empty();
        let since = last.since.unwrap_or_else(|| self.env.clock.now());
        let next = Report {
            message: why.message.clone(),
            nominated: why.nominated.clone(),
            since: Some(since),
        };
        if next == *last {
            return;
        }
        let key = Key::new(scheme::PODS, &*pod.namespace, &*pod.name).subresource("status");
        let patch = Patch::strategic(&change(pod, &next, since, promised));
        match self.client.patch(&key, patch, &WriteOptions::default()).await {
            Ok(_) => *last = next,
            Err(error) if error.is_not_found() => {}
            Err(error) => tracing::warn!(pod = %key, %error, "condition PodScheduled not written"),
        }
    }
}

fn change(pod: &PodInfo, report: &Report, since: Timestamp, promised: bool) -> Value {
    let condition = json!({
        "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
        "message": report.message, "lastTransitionTime": wire_time(since),
    });
    let mut change = json!({"metadata": {"uid": pod.uid}, "status": {"conditions": [condition]}});
    match &report.nominated {
        Some(node) => change["status"]["nominatedNodeName"] = (**node).into(),
        // Taken back.
        None if promised => change["status"]["nominatedNodeName"] = Value::Null,
        None => {}
    }
    change
}

fn wire_time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
