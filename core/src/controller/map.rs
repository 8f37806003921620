//! Which requests an object makes.

use super::ObjectKey;
use crate::cache::{Entry, Informer};
use crate::object::{Owner, View};
use crate::scheme::GroupVersionKind;
use std::sync::Arc;

/// Itself.
pub fn itself<V>(entry: &Entry<V>) -> Option<ObjectKey> {
    Some(ObjectKey::of(&entry.object))
}

/// The owner that manages it, if that is of this kind, in any version. The owner is in the object's namespace.
pub fn controller<V>(gvk: GroupVersionKind) -> impl Fn(&Entry<V>) -> Option<ObjectKey> {
    move |entry| {
        let owner = entry.object.header().controller().filter(|owner| owner.is_of(&gvk))?;
        Some(named(entry, owner))
    }
}

/// All its owners of this kind, in any version.
pub fn owners<V>(gvk: GroupVersionKind) -> impl Fn(&Entry<V>) -> Vec<ObjectKey> {
    move |entry| {
        let owners = entry.object.header().owners.iter().filter(|owner| owner.is_of(&gvk));
        owners.map(|owner| named(entry, owner)).collect()
    }
}

/// All objects of another cache that its index files under one of the values `of` finds: with an index of what each
/// object refers to, those that refer to this one.
pub fn index<V, W: View>(
    users: Arc<Informer<W>>,
    index: &'static str,
    of: impl Fn(&Entry<V>) -> Vec<String>,
) -> impl Fn(&Entry<V>) -> Vec<ObjectKey> {
    move |entry| {
        let found = of(entry).into_iter().flat_map(|value| users.by_index(index, &value));
        found.map(|user| ObjectKey::of(&user.object)).collect()
    }
}

fn named<V>(entry: &Entry<V>, owner: &Owner) -> ObjectKey {
    ObjectKey::new(entry.object.namespace(), &*owner.name)
}
