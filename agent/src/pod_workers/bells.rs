//! How workers are woken.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Notify;

/// The bells of all workers, by the uid of their pods.
#[derive(Clone, Default)]
pub(crate) struct Bells(Arc<Mutex<HashMap<String, Arc<Bell>>>>);

/// Wakes one worker. Rings are merged.
#[derive(Default)]
pub(crate) struct Bell {
    notify: Notify,
    references: AtomicBool,
}

// === impl Bells ===

impl Bells {
    /// The bell of a new worker.
    pub(super) fn hang(&self, uid: &str) -> Arc<Bell> {
        self.0.lock().entry(uid.to_owned()).or_default().clone()
    }

    pub(super) fn take_down(&self, uid: &str) {
        self.0.lock().remove(uid);
    }

    /// Something of this pod has changed.
    pub(crate) fn ring(&self, uid: &str) {
        if let Some(bell) = self.0.lock().get(uid) {
            bell.notify.notify_one();
        }
    }

    /// An object that this pod names has changed.
    pub(crate) fn ring_references(&self, uid: &str) {
        if let Some(bell) = self.0.lock().get(uid) {
            bell.references.store(true, Ordering::Release);
            bell.notify.notify_one();
        }
    }
}

// === impl Bell ===

impl Bell {
    /// Returns when it was rung since the last time.
    pub(super) async fn rung(&self) {
        self.notify.notified().await;
    }

    /// Whether an object that the pod names has changed since the last time.
    pub(super) fn references_changed(&self) -> bool {
        self.references.swap(false, Ordering::AcqRel)
    }
}
