//! From changes to requests.

use crate::views::Workloads;
use std::sync::Arc;
use std::time::Duration;
use windlass_core::cache::{Change, Informer};
use windlass_core::controller::{ObjectKey, enqueue, map, predicate};
use windlass_core::object::{Header, Owner};
use windlass_core::scheme::GroupVersionKind;
use windlass_core::workqueue::WorkQueue;
use windlass_core::{Object, View};

pub(crate) type Queue = Arc<WorkQueue<ObjectKey>>;

/// No change waits.
pub(crate) fn at_once<V>(_: &Change<V>) -> Duration {
    Duration::ZERO
}

/// Each object that changes is a request.
pub(crate) fn itself<V: View>(informer: &Informer<V>, queue: &Queue) {
    enqueue(informer, queue, predicate::any, map::itself);
}

/// The controller of each object that changes is a request; of an object without a controller, all that select it. It is
/// worked on when the change is as old as `delay` says, or sooner with another one.
pub(crate) fn owners_of<V: View>(
    children: &Informer<V>,
    owners: &Workloads,
    gvk: GroupVersionKind,
    queue: &Queue,
    delay: impl Fn(&Change<V>) -> Duration + Send + Sync + 'static,
) {
    let (owners, queue) = (owners.clone(), queue.clone());
    children.on_change(move |change| {
        let (object, delay) = (change.object(), delay(change));
        let now = owner(object.header(), &gvk);
        if let Change::Updated { old, .. } = change {
            let before = owner(old.object.header(), &gvk);
            before.filter(|before| Some(*before) != now).into_iter().for_each(|before| {
                queue.add_after(ObjectKey::new(object.namespace(), &*before.name), delay);
            });
        }
        match now {
            Some(now) => queue.add_after(ObjectKey::new(object.namespace(), &*now.name), delay),
            None if object.header().controller().is_none() => {
                selecting(&owners, object, |key| queue.add_after(key, delay));
            }
            None => {}
        }
    });
}

fn owner<'a>(header: &'a Header, gvk: &GroupVersionKind) -> Option<&'a Owner> {
    header.controller().filter(|owner| is_of(owner, gvk))
}

/// Whether an owner is of this kind, in any version.
pub(crate) fn is_of(owner: &Owner, gvk: &GroupVersionKind) -> bool {
    owner.is_of(gvk)
}

/// Requests all in its namespace that select an object.
pub(crate) fn selecting(owners: &Workloads, object: &Object, request: impl Fn(ObjectKey)) {
    for owner in owners.list(Some(object.namespace())) {
        if owner.view.spec.selector.matches(&object.header().labels) {
            request(ObjectKey::of(&owner.object));
        }
    }
}
