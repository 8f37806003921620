//! Bringing commits to the watchers they concern.

use super::index::{GroupId, RangeIndex};
use super::queue::Queue;
use super::state::select;
use crate::{Batch, KeyRange, Revision};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::task::Waker;

/// All watchers. Those of the same range form a group, so that a range is looked at once for each commit.
///
/// Wakers are handed back: they are woken when no lock is held.
#[derive(Default)]
pub(crate) struct Hub {
    index: RangeIndex,
    groups: HashMap<GroupId, Group>,
    by_range: HashMap<KeyRange, GroupId>,
    next: GroupId,
}

struct Group {
    range: KeyRange,
    queues: Vec<Arc<Queue>>,
}

/// Where a watcher is in the hub.
pub(crate) struct Place {
    group: GroupId,
    pub(crate) queue: Arc<Queue>,
}

// === impl Hub ===

impl Hub {
    /// A new watcher of a range.
    pub(crate) fn add(&mut self, range: KeyRange, limit: usize) -> Place {
        let queue = Queue::new(limit);
        let group = match self.by_range.get(&range) {
            Some(group) => *group,
            None => self.add_group(range),
        };
        let members = self.groups.get_mut(&group).expect("by_range names groups that are there");
        members.queues.push(queue.clone());
        Place { group, queue }
    }

    fn add_group(&mut self, range: KeyRange) -> GroupId {
        let id = self.next;
        self.next += 1;
        self.index.add(&range, id);
        self.by_range.insert(range.clone(), id);
        self.groups.insert(id, Group { range, queues: Vec::new() });
        id
    }

    /// Forgets a watcher; one that was cut off is gone already.
    pub(crate) fn remove(&mut self, place: &Place) {
        let Some(group) = self.groups.get_mut(&place.group) else {
            return;
        };
        group.queues.retain(|queue| !Arc::ptr_eq(queue, &place.queue));
        self.drop_if_empty(place.group);
    }

    fn drop_if_empty(&mut self, id: GroupId) {
        if self.groups.get(&id).is_some_and(|group| group.queues.is_empty()) {
            let group = self.groups.remove(&id).expect("looked up above");
            self.by_range.remove(&group.range);
            self.index.remove(&group.range, id);
        }
    }

    /// Brings commits to everyone concerned.
    pub(crate) fn publish(&mut self, batches: &[Batch]) -> Vec<Waker> {
        let mut wakers = Vec::new();
        let mut emptied = Vec::new();
        for batch in batches {
            self.publish_one(batch, &mut wakers, &mut emptied);
        }
        emptied.into_iter().for_each(|id| self.drop_if_empty(id));
        wakers
    }

    fn publish_one(&mut self, batch: &Batch, wakers: &mut Vec<Waker>, emptied: &mut Vec<GroupId>) {
        let Self { index, groups, .. } = self;
        let mut bring = |id: &GroupId| {
            let group = groups.get_mut(id).expect("the index names groups that are there");
            let batch = select(batch, &group.range).expect("the index found an event for it");
            group.queues.retain(|queue| queue.push(&batch, wakers));
            if group.queues.is_empty() {
                emptied.push(*id);
            }
        };
        match &batch.events[..] {
            [event] => index.covering(event.key()).iter().for_each(&mut bring),
            events => {
                let covering = events.iter().flat_map(|event| index.covering(event.key()));
                covering.collect::<BTreeSet<_>>().into_iter().for_each(&mut bring);
            }
        }
    }

    /// Tells everyone that all up to `revision` was brought.
    pub(crate) fn progress(&self, revision: Revision) -> Vec<Waker> {
        let mut wakers = Vec::new();
        let batch = Batch { revision, events: Arc::new([]) };
        for queue in self.groups.values().flat_map(|group| &group.queues) {
            queue.progress(&batch, &mut wakers);
        }
        wakers
    }

    /// Tells everyone that it went wrong, and that nothing more comes.
    #[cfg(feature = "etcd")]
    pub(crate) fn fail(&mut self, error: &crate::Error) -> Vec<Waker> {
        let queues = self.groups.values().flat_map(|group| &group.queues);
        queues.for_each(|queue| queue.fail(error));
        self.close()
    }

    /// Tells everyone that nothing more comes.
    pub(crate) fn close(&mut self) -> Vec<Waker> {
        let mut wakers = Vec::new();
        for queue in self.groups.drain().flat_map(|(_, group)| group.queues) {
            queue.close(&mut wakers);
        }
        self.by_range.clear();
        self.index = RangeIndex::default();
        wakers
    }
}
