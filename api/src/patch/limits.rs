//! Bounds and errors the patches share.

use crate::strategy::Map;
use json_patch::PatchOperation as Operation;
use serde_json::Value;
use windlass_core::meta::{Reason, Status};

/// How many operations a JSON patch may have.
pub(super) const MAX_OPERATIONS: usize = 10_000;

/// How large a patch may be.
pub(super) const MAX_BYTES: usize = 3 * 1024 * 1024;

/// How deep an object may be nested by a patch: twice of what a body may be.
const MAX_DEPTH: usize = 256;
/// How much all moves of a patch together may carry.
const MAX_MOVED: usize = 64 * 1024 * 1024;

/// What the operations of a JSON patch add up to. A few of them, that copy or move what others did, make
/// an object of any size and depth.
#[derive(Default)]
pub(super) struct Growth {
    copied: usize,
    moved: usize,
}

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

// === impl Growth ===

impl Growth {
    /// Refuses an operation that makes `object` too large or too deep.
    pub(super) fn check(&mut self, object: &Value, operation: &Operation) -> Result<(), Status> {
        match operation {
            Operation::Add(add) => fits(add.path.as_str(), &add.value).map(drop),
            Operation::Replace(replace) => fits(replace.path.as_str(), &replace.value).map(drop),
            Operation::Move(one) => {
                let Some(value) = object.pointer(one.from.as_str()) else { return Ok(()) };
                self.moved += fits(one.path.as_str(), value)?;
                within("move", self.moved, MAX_MOVED)
            }
            Operation::Copy(one) => {
                let Some(value) = object.pointer(one.from.as_str()) else { return Ok(()) };
                self.copied += fits(one.path.as_str(), value)?;
                within("copy", self.copied, MAX_BYTES)
            }
            Operation::Remove(_) | Operation::Test(_) => Ok(()),
        }
    }
}

fn within(what: &str, size: usize, limit: usize) -> Result<(), Status> {
    if size <= limit {
        return Ok(());
    }
    let text = format!(
        "Unable to complete the {what}, the accumulated size increase of {what} is {size}, exceeding the limit {limit}"
    );
    Err(Status::failure(Reason::RequestEntityTooLarge, text))
}

/// The weight of a value, about its length as JSON, if it is not too deep for its new place.
fn fits(path: &str, value: &Value) -> Result<usize, Status> {
    let depth = path.bytes().filter(|byte| *byte == b'/').count();
    weigh(value, MAX_DEPTH.saturating_sub(depth)).ok_or_else(|| {
        let text = format!("the patch nests the object deeper than {MAX_DEPTH} levels");
        Status::failure(Reason::RequestEntityTooLarge, text)
    })
}

fn weigh(value: &Value, levels: usize) -> Option<usize> {
    const NODE: usize = 8;
    let levels = levels.checked_sub(1)?;
    Some(match value {
        Value::String(text) => NODE + text.len(),
        Value::Array(list) => {
            list.iter().try_fold(NODE, |sum, one| Some(sum + weigh(one, levels)?))?
        }
        Value::Object(map) => map
            .iter()
            .try_fold(NODE, |sum, (key, one)| Some(sum + key.len() + weigh(one, levels)?))?,
        Value::Null | Value::Bool(_) | Value::Number(_) => NODE,
    })
}
