//! The recent past, for watches that begin there.

use crate::storage::Change;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use windlass_store::Revision;

/// So many changes are kept however old they are.
const AT_LEAST: usize = 1024;
/// More than so many are never kept.
const AT_MOST: usize = 65_536;
/// Between the two, changes are kept as long as a client needs to come back after a lost connection.
const FRESH: Duration = Duration::from_secs(75);

/// Changes in order, without a hole.
#[derive(Default)]
pub(super) struct Ring {
    changes: VecDeque<(Instant, Arc<Change>)>,
    /// All changes after this revision are here.
    complete_after: Revision,
}

// === impl Ring ===

impl Ring {
    pub(super) fn starting_at(revision: Revision) -> Self {
        Self { changes: VecDeque::new(), complete_after: revision }
    }

    pub(super) fn push(&mut self, change: Arc<Change>) {
        let now = Instant::now();
        self.changes.push_back((now, change));
        while self.changes.len() > AT_LEAST {
            let (oldest, _) = &self.changes[0];
            if self.changes.len() <= AT_MOST && now.duration_since(*oldest) < FRESH {
                return;
            }
            let (_, gone) = self.changes.pop_front().expect("it is longer than AT_LEAST");
            self.complete_after = gone.revision;
        }
    }

    /// The changes after a revision; the oldest revision one may ask for when they are gone.
    pub(super) fn after(
        &self,
        revision: Revision,
    ) -> Result<impl Iterator<Item = &Arc<Change>>, Revision> {
        if revision < self.complete_after {
            return Err(self.complete_after);
        }
        let first = self.changes.partition_point(|(_, change)| change.revision <= revision);
        Ok(self.changes.range(first..).map(|(_, change)| change))
    }
}
