//! From changes to requests.

use super::{Controller, Reconciler};
use crate::cache::{Change, Entry, Informer};
use crate::object::View;
use crate::workqueue::WorkQueue;
use smallvec::SmallVec;
use std::hash::Hash;
use std::sync::Arc;

/// Puts requests into a queue for every change that `when` takes (see [`super::predicate`]): those that `map` (see
/// [`super::map`]) makes of the object, and of an object that changed also those of how it was, so that an owner hears of
/// what it lost.
pub fn enqueue<V, K, I>(
    informer: &Informer<V>,
    queue: &Arc<WorkQueue<K>>,
    when: impl Fn(&Change<V>) -> bool + Send + Sync + 'static,
    map: impl Fn(&Entry<V>) -> I + Send + Sync + 'static,
) where
    V: View,
    K: Hash + Eq + Clone + Send + Sync + 'static,
    I: IntoIterator<Item = K>,
{
    let queue = queue.clone();
    informer.on_change(move |change| {
        if !when(change) {
            return;
        }
        let now: SmallVec<[K; 2]> = map(change.entry()).into_iter().collect();
        if let Change::Updated { old, .. } = change {
            let lost = map(old).into_iter().filter(|key| !now.contains(key));
            lost.for_each(|key| queue.add(key));
        }
        now.into_iter().for_each(|key| queue.add(key));
    });
}

impl<R: Reconciler> Controller<R> {
    /// Works on the requests that `map` makes of the objects in a cache when they change in a way that `when` takes,
    /// beginning with those that are there. Starts only when the cache is complete.
    #[must_use]
    pub fn watch<V: View, I: IntoIterator<Item = R::Request>>(
        self,
        informer: &Informer<V>,
        when: impl Fn(&Change<V>) -> bool + Send + Sync + 'static,
        map: impl Fn(&Entry<V>) -> I + Send + Sync + 'static,
    ) -> Self {
        enqueue(informer, &self.queue, when, map);
        self.after(informer.synced())
    }
}
