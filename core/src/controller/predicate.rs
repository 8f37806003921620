//! Which changes count. What comes and what goes always does.

use crate::cache::Change;

/// Every change.
pub fn any<V>(_: &Change<V>) -> bool {
    true
}

/// Changes of the spec, of the finalizers, and that somebody deleted it. For kinds that have a generation; a reconciler is
/// not woken by the status it writes itself.
pub fn generation_changed<V>(change: &Change<V>) -> bool {
    match change {
        Change::Updated { old, new } => {
            let (old, new) = (old.object.header(), new.object.header());
            (old.generation, old.deleting, &old.finalizers)
                != (new.generation, new.deleting, &new.finalizers)
        }
        Change::Added(_) | Change::Deleted(_) => true,
    }
}

/// Changes of the labels.
pub fn labels_changed<V>(change: &Change<V>) -> bool {
    match change {
        Change::Updated { old, new } => old.object.header().labels != new.object.header().labels,
        Change::Added(_) | Change::Deleted(_) => true,
    }
}

/// Changes of the view: of the fields that are read.
pub fn view_changed<V: PartialEq>(change: &Change<V>) -> bool {
    match change {
        Change::Updated { old, new } => old.view != new.view,
        Change::Added(_) | Change::Deleted(_) => true,
    }
}

/// Changes that one of two takes.
pub fn either<V>(
    one: impl Fn(&Change<V>) -> bool,
    other: impl Fn(&Change<V>) -> bool,
) -> impl Fn(&Change<V>) -> bool {
    move |change| one(change) || other(change)
}

/// Changes that both take.
pub fn both<V>(
    one: impl Fn(&Change<V>) -> bool,
    other: impl Fn(&Change<V>) -> bool,
) -> impl Fn(&Change<V>) -> bool {
    move |change| one(change) && other(change)
}
