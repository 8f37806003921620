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
    client: Arc<dyn Client>,
    recorder: Recorder,
    env: Env,
}

impl Failures {
    pub(super) fn new(client: Arc<dyn Client>, recorder: Recorder, env: Env) -> Self {
        Self { client, recorder, env }
    }

    /// An event, and the condition `PodScheduled=False`, which is written only when it says something new.
    pub(super) async fn report(&self, pod: &PodInfo, why: &Unschedulable, last: &mut Report) {
        let text = &*why.message;
        self.recorder.event(reference(pod), EventType::Warning, "FailedScheduling", text);
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
        let patch = Patch::strategic(&change(pod, &next, since));
        match self.client.patch(&key, patch, &WriteOptions::default()).await {
            Ok(_) => *last = next,
            Err(error) if error.is_not_found() => {}
            Err(error) => tracing::warn!(pod = %key, %error, "condition PodScheduled not written"),
        }
    }
}

fn change(pod: &PodInfo, report: &Report, since: Timestamp) -> Value {
    let condition = json!({
        "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
        "message": report.message, "lastTransitionTime": since.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    });
    let mut change = json!({"metadata": {"uid": pod.uid}, "status": {"conditions": [condition]}});
    if let Some(node) = &report.nominated {
        change["status"]["nominatedNodeName"] = (**node).into();
    }
    change
}
