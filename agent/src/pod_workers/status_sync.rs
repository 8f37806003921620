//! Keeps the API's status of a pod at what was computed last: one write at a time, so that they stay in order.

use crate::status::patch::patch;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use windlass_core::apis::core::v1::{Pod, PodStatus};
use windlass_core::workqueue::Backoff;
use windlass_core::{Error, Object};

const BACKOFF: Backoff =
    Backoff { first: Duration::from_millis(200), max: Duration::from_secs(30) };

/// Where the writing of a pod's status stands.
#[derive(Default)]
pub(super) struct StatusSync {
    writing: bool,
    failures: u32,
    retry_at: Option<Instant>,
    /// What the last write made of the pod.
    written: Option<Arc<Object>>,
    last_patch: Option<Value>,
    in_sync: bool,
}

impl StatusSync {
    /// The write that is needed now. `seen` is the pod as the cache has it.
    pub(super) fn next(&mut self, pod: &Pod, seen: &Object, status: &PodStatus) -> Option<Value> {
        // Of a mirror that was made anew nothing was written yet.
        let same = |own: &&Arc<Object>| own.header().uid == seen.header().uid;
        let newest = self.written.as_ref().filter(same);
        let newest = newest.filter(|own| own.resource_version() >= seen.resource_version());
        let base = match newest.map(|own| own.view::<Pod>()) {
            Some(Ok(own)) => own.status,
            _ => pod.status.clone(),
        };
        let patch = patch(&seen.header().uid, base.as_ref(), status);
        // A server that keeps something else than was written is not asked again and again.
        let useless = newest.is_some() && patch.is_some() && patch == self.last_patch;
        self.in_sync = patch.is_none() || useless;
        let waits = self.retry_at.is_some_and(|at| at > Instant::now());
        if self.in_sync || self.writing || waits {
            return None;
        }
        self.writing = true;
        self.last_patch.clone_from(&patch);
        patch
    }

    /// Whether the API shows what was computed last.
    pub(super) fn in_sync(&self) -> bool {
        self.in_sync && !self.writing
    }

    /// When to try again.
    pub(super) fn retry_at(&self) -> Option<Instant> {
        self.retry_at.filter(|_| !self.writing && !self.in_sync)
    }

    /// A write may have ended without a word.
    pub(super) fn broke_off(&mut self) {
        (self.writing, self.last_patch) = (false, None);
    }

    /// Takes in how the write went; whether the pod is gone.
    pub(super) fn done(&mut self, result: Result<Arc<Object>, Error>) -> bool {
        self.writing = false;
        match result {
            Ok(object) => {
                (self.failures, self.retry_at) = (0, None);
                self.written = Some(object);
                false
            }
            Err(error) if error.is_not_found() => true,
            Err(error) => {
                tracing::warn!(%error, "pod status not written, will retry");
                self.retry_at = Some(Instant::now() + BACKOFF.wait(self.failures));
                self.failures += 1;
                false
            }
        }
    }
}
