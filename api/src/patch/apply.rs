//! Server-side apply (KEP-555).

use crate::strategy::Map;
use jiff::Timestamp;
use windlass_core::meta::{Reason, Status};
use windlass_core::scheme::GroupVersionKind;

/// What is applied, by whom, onto what.
#[derive(Clone, Copy, Debug)]
pub struct Apply<'a> {
    /// The kind.
    pub gvk: &'a GroupVersionKind,
    /// The object as it is; `None` when there is none yet.
    pub live: Option<&'a Map>,
    /// What the manager wants, its whole intent.
    pub config: &'a Map,
    /// Who applies. Not empty.
    pub manager: &'a str,
    /// `status`, or empty for the object itself.
    pub subresource: &'a str,
    /// Take over fields of other managers instead of failing.
    pub force: bool,
    /// The time to note.
    pub now: Timestamp,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// The object as it shall be, with its managed fields.
    pub object: Map,
    /// Whether it differs from the live one in more than the time of the manager's entry.
    pub changed: bool,
}

/// Applies a manager's intent: sets its fields, removes those it applied before and no longer does
/// when nobody else owns them, and notes who owns what.
///
/// # Errors
/// `Conflict` with a cause for each field that another manager owns with another value, unless forced;
/// `BadRequest` when the configuration has `metadata.managedFields`, or a list with a key missing or twice.
pub fn apply(request: &Apply<'_>) -> Result<Applied, Status> {
    let _ = request;
    Err(Status::failure(Reason::UnsupportedMediaType, "apply is not supported"))
}
