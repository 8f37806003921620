//! Tells people and controllers why a pod got no node.

use super::reference;
use crate::PodInfo;
use serde_json::json;
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

    /// An event and the condition `PodScheduled=False`, which is written only when it says something new.
    pub(super) async fn report(&self, pod: &PodInfo, message: &str) {
        self.recorder.event(reference(pod), EventType::Warning, "FailedScheduling", message);
        let now = self.env.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let condition = json!({
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
            "message": message, "lastTransitionTime": now,
        });
        let key = Key::new(scheme::PODS, &*pod.namespace, &*pod.name).subresource("status");
        let patch = Patch::strategic(
            &json!({"metadata": {"uid": pod.uid}, "status": {"conditions": [condition]}}),
        );
        match self.client.patch(&key, patch, &WriteOptions::default()).await {
            Err(error) if !error.is_not_found() => {
                tracing::warn!(pod = %key, %error, "condition PodScheduled not written");
            }
            _ => {}
        }
    }
}
