//! Makes room: ends the pods that must go for another one.

use super::failure::Failures;
use super::reference;
use crate::PodInfo;
use crate::framework::Unschedulable;
use serde_json::json;
use std::sync::Arc;
use tokio::task::JoinSet;
use windlass_core::client::{Client, DeleteOptions, Key, Patch, WriteOptions};
use windlass_core::events::EventType;
use windlass_core::{Error, scheme};

/// So many victims are ended at once.
const AT_ONCE: usize = 16;

impl Failures {
    /// Marks the victims with the condition `DisruptionTarget` (KEP-3329), deletes them, and says so.
    ///
    /// # Errors
    /// The first that could not be deleted; the others are all the same.
    pub(super) async fn make_room(&self, pod: &PodInfo, why: &Unschedulable) -> Result<(), Error> {
        let Some(node) = &why.nominated else { return Ok(()) };
        let mut outcome = Ok(());
        for some in why.victims.chunks(AT_ONCE) {
            let mut ending = JoinSet::new();
            for victim in some.iter().cloned() {
                let (client, now) = (self.client.clone(), self.now());
                let by = match &*pod.scheduler_name {
                    "" => "default-scheduler".to_owned(),
                    name => name.to_owned(),
                };
                ending.spawn(async move { (end(&*client, &victim, &by, &now).await, victim) });
            }
            for (ended, victim) in ending.join_all().await {
                match ended {
                    Ok(()) => {
                        let text = format!("Preempted by pod {} on node {node}", pod.uid);
                        let about = reference(&victim);
                        self.recorder.event(about, EventType::Normal, "Preempted", &text);
                    }
                    Err(error) => outcome = Err(error),
                }
            }
        }
        outcome
    }
}

async fn end(client: &dyn Client, victim: &Arc<PodInfo>, by: &str, now: &str) -> Result<(), Error> {
    let key = Key::new(scheme::PODS, &*victim.namespace, &*victim.name);
    let condition = json!({
        "type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler",
        "message": format!("{by}: preempting to accommodate a higher priority pod"),
        "lastTransitionTime": now,
    });
    let change = json!({"metadata": {"uid": victim.uid}, "status": {"conditions": [condition]}});
    let status = key.clone().subresource("status");
    let marked = client.patch(&status, Patch::strategic(&change), &WriteOptions::default()).await;
    gone_is_fine(marked.map(drop))?;
    gone_is_fine(client.delete(&key, &DeleteOptions::uid(&*victim.uid)).await.map(drop))
}

/// One that is gone, or whose name another one has, needs not be ended.
fn gone_is_fine(done: Result<(), Error>) -> Result<(), Error> {
    match done {
        Err(error) if error.is_not_found() || error.is_conflict() => Ok(()),
        other => other,
    }
}
