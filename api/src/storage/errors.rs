//! What the store's errors mean to a client.

use windlass_core::meta::{Reason, Status, StatusCause};
use windlass_store::{Error, Revision};

/// A store's error as a Status. Preconditions are the writer's to explain: here they are a conflict.
pub(crate) fn store_status(error: &Error) -> Status {
    match error {
        Error::Compacted { .. } => {
            Status::expired("The resourceVersion for the provided list is too old.")
        }
        Error::Future { asked, current } => too_large(*asked, *current),
        Error::Invalid(why) => Status::failure(Reason::RequestEntityTooLarge, why.clone()),
        Error::Closed => Status::failure(Reason::ServiceUnavailable, "the server is shutting down"),
        Error::Precondition { .. } => {
            Status::failure(Reason::Conflict, "the object was changed in between")
        }
        other => {
            tracing::error!(error = %other, "the store failed");
            Status::internal(other)
        }
    }
}

/// The version asked for is not reached in time.
pub(super) fn too_large(asked: Revision, current: Revision) -> Status {
    let text = format!("Timeout: Too large resource version: {asked}, current: {current}");
    let mut status = Status::failure(Reason::Timeout, text);
    let details = status.details.get_or_insert_default();
    details.retry_after_seconds = 1;
    details.causes = vec![StatusCause {
        reason: "ResourceVersionTooLarge".into(),
        message: "Too large resource version".into(),
        field: String::new(),
    }];
    status
}

/// The events after the version asked for are gone.
pub(super) fn too_old(asked: Revision, oldest: Revision) -> Status {
    Status::expired(format!("too old resource version: {asked} ({oldest})"))
}
