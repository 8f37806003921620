//! How single results become a verdict: so many in a row count.

use super::{Kind, Timing};

/// The results of one probe of one container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counter {
    last: Option<bool>,
    run: u32,
    verdict: Option<bool>,
}

impl Counter {
    /// Takes a result in; the verdict, when it is a new one.
    pub(super) fn take(&mut self, success: bool, timing: &Timing) -> Option<bool> {
        self.run = if self.last == Some(success) { self.run.saturating_add(1) } else { 1 };
        self.last = Some(success);
        let threshold = if success { timing.success_threshold } else { timing.failure_threshold };
        if self.run < threshold || self.verdict == Some(success) {
            return None;
        }
        self.verdict = Some(success);
        Some(success)
    }

    /// Whether the container's fate is decided: nothing more is asked of it.
    pub(super) fn is_final(&self, kind: Kind) -> bool {
        match kind {
            Kind::Startup => self.verdict.is_some(),
            Kind::Liveness => self.verdict == Some(false),
            Kind::Readiness => false,
        }
    }
}
