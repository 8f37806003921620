//! Errors as etcd words them: clients compare code and text.

use crate::Error;
use tonic::{Code, Status};

/// A code and a text of etcd's.
pub(super) struct Known(Code, &'static str);

pub(super) const EMPTY_KEY: Known = Known(Code::InvalidArgument, "etcdserver: key is not provided");
pub(super) const KEY_NOT_FOUND: Known = Known(Code::InvalidArgument, "etcdserver: key not found");
pub(super) const VALUE_PROVIDED: Known =
    Known(Code::InvalidArgument, "etcdserver: value is provided");
pub(super) const LEASE_PROVIDED: Known =
    Known(Code::InvalidArgument, "etcdserver: lease is provided");
pub(super) const TOO_MANY_OPS: Known =
    Known(Code::InvalidArgument, "etcdserver: too many operations in txn request");
pub(super) const DUPLICATE_KEY: Known =
    Known(Code::InvalidArgument, "etcdserver: duplicate key given in txn request");
pub(super) const INVALID_SORT: Known =
    Known(Code::InvalidArgument, "etcdserver: invalid sort option");
pub(super) const TOO_LARGE: Known =
    Known(Code::InvalidArgument, "etcdserver: request is too large");
pub(super) const COMPACTED: Known =
    Known(Code::OutOfRange, "etcdserver: mvcc: required revision has been compacted");
pub(super) const FUTURE: Known =
    Known(Code::OutOfRange, "etcdserver: mvcc: required revision is a future revision");
pub(super) const NO_SPACE: Known =
    Known(Code::ResourceExhausted, "etcdserver: mvcc: database space exceeded");
pub(super) const TOO_MANY_REQUESTS: Known =
    Known(Code::ResourceExhausted, "etcdserver: too many requests");
pub(super) const LEASE_NOT_FOUND: Known =
    Known(Code::NotFound, "etcdserver: requested lease not found");
pub(super) const LEASE_EXISTS: Known =
    Known(Code::FailedPrecondition, "etcdserver: lease already exists");
pub(super) const TTL_TOO_LARGE: Known = Known(Code::OutOfRange, "etcdserver: too large lease TTL");
pub(super) const NO_AUTH: Known =
    Known(Code::FailedPrecondition, "etcdserver: authentication is not enabled");
pub(super) const BAD_TRANSFEREE: Known =
    Known(Code::FailedPrecondition, "etcdserver: bad leader transferee");
pub(super) const TIMEOUT: Known = Known(Code::Unavailable, "etcdserver: request timed out");
pub(super) const STOPPED: Known = Known(Code::Unavailable, "etcdserver: server stopped");
pub(super) const CORRUPT: Known = Known(Code::DataLoss, "etcdserver: corrupt cluster");

// === impl Known ===

impl Known {
    pub(super) fn text(&self) -> &'static str {
        self.1
    }
}

impl From<Known> for Status {
    fn from(Known(code, text): Known) -> Self {
        Self::new(code, text)
    }
}

/// The status for a store's error. What etcd has no words for keeps the store's.
pub(super) fn from(error: Error) -> Status {
    let known = match &error {
        Error::Compacted { .. } => COMPACTED,
        Error::Future { .. } => FUTURE,
        Error::LeaseNotFound { .. } => LEASE_NOT_FOUND,
        Error::LeaseExists { .. } => LEASE_EXISTS,
        Error::Closed => STOPPED,
        Error::Precondition { .. } => TOO_MANY_REQUESTS,
        Error::Invalid(reason) => return Status::invalid_argument(format!("etcdserver: {reason}")),
        Error::Overrun { .. } | Error::Locked(_) => return Status::internal(error.to_string()),
        Error::Unavailable(_) => logged(&error, TIMEOUT),
        Error::Corrupt { .. } => logged(&error, CORRUPT),
        Error::Io { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => {
            logged(&error, NO_SPACE)
        }
        Error::Io { .. } | Error::Sealed { .. } => {
            tracing::error!(%error, "a request failed");
            return Status::internal(error.to_string());
        }
    };
    known.into()
}

fn logged(error: &Error, known: Known) -> Known {
    tracing::error!(%error, "a request failed");
    known
}
