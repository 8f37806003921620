//! Keeps the node from running out of memory, disk, inodes and process numbers: tells pressure, and takes pods away
//! before the kernel does ("Node-pressure Eviction").
//!
//! `plan` and `limits` decide (pure), `observe` looks, `manager` does both every ten seconds and tells workers.

mod admit;
mod limits;
mod manager;
mod message;
mod observe;
mod plan;
mod rank;
mod threshold;

pub use threshold::{Amount, Eviction, Signal, Threshold, ThresholdError, period};

pub(crate) use admit::admit;
pub(crate) use manager::Manager;
pub(crate) use observe::disk_levels;
pub(crate) use plan::{Level, Pressure};

use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// That a pod must go, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) reason: &'static str,
    pub(crate) message: String,
    /// How long its containers may take, if it is given less than it asks for.
    pub(crate) grace: Duration,
}

/// What was decided, for the workers to find, by the uid of pods; and how the node is.
#[derive(Default)]
pub(crate) struct Verdicts {
    all: Mutex<HashMap<String, Verdict>>,
    pressure: tokio::sync::watch::Sender<Pressure>,
    closed: AtomicBool,
}

/// What status says of a pod that the node can't carry any more.
pub(crate) const EVICTED: &str = "Evicted";

impl Verdicts {
    pub(crate) fn of(&self, uid: &str) -> Option<Verdict> {
        self.all.lock().get(uid).cloned()
    }

    pub(crate) fn forget(&self, uid: &str) {
        self.all.lock().remove(uid);
    }

    /// How the node is.
    pub(crate) fn pressure(&self) -> Pressure {
        *self.pressure.borrow()
    }

    /// Follows how the node is.
    pub(crate) fn subscribe(&self) -> tokio::sync::watch::Receiver<Pressure> {
        self.pressure.subscribe()
    }

    /// The node goes down: it takes no pods any more.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        // Who follows how the node is looks again.
        self.pressure.send_modify(|_| {});
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub(crate) fn set(&self, uid: &str, verdict: Verdict) {
        self.all.lock().insert(uid.to_owned(), verdict);
    }

    fn tell(&self, pressure: Pressure) {
        self.pressure.send_if_modified(|old| std::mem::replace(old, pressure) != pressure);
    }
}
