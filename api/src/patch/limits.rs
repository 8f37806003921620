//! Bounds and errors the patches share.

use crate::strategy::Map;
use serde_json::Value;
use windlass_core::meta::{Reason, Status};

/// How many operations a JSON patch may have.
pub(super) const MAX_OPERATIONS: usize = 10_000;

/// How large a patch may be.
pub(super) const MAX_BYTES: usize = 3 * 1024 * 1024;

/// Reads the body of a patch as an object.
pub(super) fn read_object(patch: &[u8]) -> Result<Map, Status> {
    check_size(patch)?;
    match serde_json::from_slice(patch) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err(Status::bad_request("error decoding patch: the patch must be an object")),
        Err(error) => Err(Status::bad_request(format!("error decoding patch: {error}"))),
    }
}

pub(super) fn check_size(patch: &[u8]) -> Result<(), Status> {
    if patch.len() > MAX_BYTES {
        let text = format!("Request entity too large: limit is {MAX_BYTES}");
        return Err(Status::failure(Reason::RequestEntityTooLarge, text));
    }
    Ok(())
}
