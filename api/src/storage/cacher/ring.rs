//! The recent past, for watches that begin there.

use crate::storage::Change;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use windlass_core::Object;
use windlass_store::Revision;

/// So many changes are kept however old they are, if they are not heavy.
const AT_LEAST: usize = 1024;
/// So many bytes of objects are kept however old they are.
const HEAVY: usize = 1 << 20;
/// More than so many are never kept, …
const AT_MOST: usize = 65_536;
/// … nor more bytes of objects.
const FULL: usize = 64 << 20;
/// Between the two, changes are kept as long as a client needs to come back after a lost connection.
const FRESH: Duration = Duration::from_secs(75);

/// Changes in order, without a hole.
#[derive(Default)]
pub(super) struct Ring {
    changes: VecDeque<(Instant, Arc<Change>)>,
    /// All changes after this revision are here.
    complete_after: Revision,
    /// Of all objects together.
    bytes: usize,
}

// === impl Ring ===

impl Ring {
    pub(super) fn starting_at(revision: Revision) -> Self {
        Self { complete_after: revision, ..Self::default() }
    }

    pub(super) fn push(&mut self, change: Arc<Change>) {
        self.bytes += weight(&change);
        self.changes.push_back((Instant::now(), change));
        self.trim();
    }

    /// Lets go of what nobody comes back for any more.
    pub(super) fn trim(&mut self) {
        let now = Instant::now();
        while self.changes.len() > AT_LEAST || self.bytes > HEAVY {
            let (oldest, _) = &self.changes[0];
            let room = self.changes.len() <= AT_MOST && self.bytes <= FULL;
            if room && now.duration_since(*oldest) < FRESH {
                return;
            }
            let (_, gone) = self.changes.pop_front().expect("what weighs something is there");
            self.bytes -= weight(&gone);
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

/// What a change keeps in memory that nobody else may need: what was before, and the frame of what is now.
fn weight(change: &Change) -> usize {
    let length = |object: &Option<Arc<Object>>| object.as_ref().map_or(0, |it| it.stored().len());
    length(&change.before) + length(&change.now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(revision: Revision, bytes: usize) -> Arc<Change> {
        let json =
            format!("{{\"metadata\":{{\"name\":\"a\"}},\"data\":\"{}\"}}", "x".repeat(bytes));
        let object = Object::from_stored(json.into(), revision).expect("canonical");
        let object = Some(Arc::new(object));
        Arc::new(Change::new(revision, "a".into(), object.clone(), object, (None, None)))
    }

    #[tokio::test(start_paused = true)]
    async fn heavy_changes_go_when_they_are_no_longer_fresh() {
        let mut ring = Ring::starting_at(0);
        (1..=4).for_each(|revision| ring.push(change(revision, HEAVY / 4)));
        assert_eq!(ring.after(0).map(Iterator::count), Ok(4), "they are fresh");
        tokio::time::advance(FRESH).await;
        ring.trim();
        assert_eq!(ring.after(3).map(Iterator::count), Ok(1));
        assert_eq!(ring.after(0).map(Iterator::count), Err(3));
        let mut full = Ring::starting_at(0);
        (1..=4).for_each(|revision| full.push(change(revision, FULL / 4)));
        assert_eq!(
            full.after(0).map(Iterator::count),
            Err(3),
            "fresh ones go when there is no room"
        );
        let mut light = Ring::starting_at(0);
        (1..=9).for_each(|revision| light.push(change(revision, 10)));
        tokio::time::advance(FRESH).await;
        light.trim();
        assert_eq!(light.after(0).map(Iterator::count), Ok(9));
    }
}
