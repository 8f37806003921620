//! JSON patch (RFC 6902).

use super::limits::{Growth, MAX_OPERATIONS, check_size};
use crate::strategy::Map;
use serde_json::Value;
use windlass_core::meta::{Reason, Status};

/// Applies a JSON patch.
///
/// # Errors
/// `BadRequest` when it is no JSON patch, `RequestEntityTooLarge` when it has more than 10,000
/// operations or copies too much, `Invalid` when it can't be applied to this object (a `test` fails, a path is not there).
pub fn json(current: &Map, patch: &[u8]) -> Result<Map, Status> {
    check_size(patch)?;
    let patch: json_patch::Patch = serde_json::from_slice(patch)
        .map_err(|error| Status::bad_request(format!("error decoding patch: {error}")))?;
    apply_json(current, &patch).map_err(|error| match error {
        JsonError::Refused(error) => refused(&error),
        JsonError::Status(status) => *status,
    })
}

/// Why a patch was not applied.
pub(crate) enum JsonError {
    /// It can't be applied to this object, with the place of the operation.
    Refused(json_patch::PatchError),
    /// It is too large, or leaves no object.
    Status(Box<Status>),
}

/// Applies a JSON patch that was read.
///
/// # Errors
/// As [`json`].
pub(crate) fn apply_json(current: &Map, patch: &json_patch::Patch) -> Result<Map, JsonError> {
    if patch.len() > MAX_OPERATIONS {
        let text = format!(
            "The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {}",
            patch.len()
        );
        let status = Status::failure(Reason::RequestEntityTooLarge, text);
        return Err(JsonError::Status(status.into()));
    }
    let mut value = Value::Object(current.clone());
    let mut growth = Growth::default();
    for (operation, step) in patch.iter().enumerate() {
        growth.check(&value, step).map_err(|status| JsonError::Status(status.into()))?;
        if is_test_of_absence(step, &value) {
            continue;
        }
        // On an error the value is thrown away.
        json_patch::patch_unsafe(&mut value, std::slice::from_ref(step)).map_err(|mut error| {
            error.operation = operation;
            JsonError::Refused(error)
        })?;
    }
    match value {
        Value::Object(map) => Ok(map),
        _ => {
            let status = Status::bad_request("the patch does not leave an object");
            Err(JsonError::Status(status.into()))
        }
    }
}

/// A test for null of a field that its object does not have passes in Kubernetes: so clients make sure that it is not there.
fn is_test_of_absence(step: &json_patch::PatchOperation, value: &Value) -> bool {
    let json_patch::PatchOperation::Test(test) = step else { return false };
    let path = test.path.as_str();
    let parent = path.rsplit_once('/').and_then(|(parent, _)| value.pointer(parent));
    test.value.is_null() && parent.is_some_and(Value::is_object) && value.pointer(path).is_none()
}

/// The same words as Kubernetes': clients look for them.
fn refused(error: &json_patch::PatchError) -> Status {
    let text = format!("the server rejected our request due to an error in our request: {error}");
    Status::failure(Reason::Invalid, text)
}
