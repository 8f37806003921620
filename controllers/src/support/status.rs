//! Writing the status of an object.

use super::ops::Op;
use serde::Serialize;
use serde_json::Value;
use windlass_core::client::Key;
use windlass_core::{Object, Result};

/// Replaces the status, if the object is still at the version that was read.
///
/// # Errors
/// When the object is not JSON: a cache never holds such.
pub(crate) fn replace<T: Serialize>(key: Key, object: &Object, status: &T) -> Result<Op> {
    let mut whole: Value = object.view()?;
    whole["status"] = serde_json::to_value(status)
        .map_err(|error| windlass_core::Error::decode("status", error))?;
    let resource = windlass_core::scheme::Scheme::builtin().by_gvr(&key.resource);
    if let Some(info) = resource {
        // Items of a list may come without them.
        whole["apiVersion"] = info.gvk().api_version().into();
        whole["kind"] = info.kind.to_string().into();
    }
    Ok(Op::Update(key.subresource("status"), whole))
}
