//! What etcd answers when it does not do what it was asked.

use crate::Error;
use std::error::Error as _;
use tonic::{Code, ConnectError, Status};

/// Why a call failed, as far as the answer tells.
#[derive(Debug)]
pub(super) enum Failure {
    /// It was not tried: no connection, or no leader to ask. It can be sent again without fear.
    Unsent(String),
    /// Nobody knows whether it happened.
    Unknown(String),
    Compacted,
    Future,
    LeaseNotFound,
    LeaseExists,
    Refused(Error),
}

// === impl Failure ===

impl Failure {
    /// Whether the fault is the member's, so that another may do better.
    pub(super) fn is_of_the_member(&self) -> bool {
        matches!(self, Self::Unsent(_) | Self::Unknown(_))
    }

    fn of_status(status: &Status) -> Self {
        let message = status.message().to_owned();
        let has = |part: &str| message.contains(part);
        match status.code() {
            Code::OutOfRange if has("has been compacted") => Self::Compacted,
            Code::OutOfRange if has("future revision") => Self::Future,
            Code::NotFound if has("lease") => Self::LeaseNotFound,
            Code::FailedPrecondition if has("lease already exists") => Self::LeaseExists,
            Code::ResourceExhausted if has("space exceeded") => Self::Refused(no_space(message)),
            Code::ResourceExhausted if has("too many requests") => Self::Unsent(message),
            Code::InvalidArgument if has("too many operations") => Self::Refused(too_many()),
            Code::InvalidArgument if has("too large") => Self::Refused(too_large(&message)),
            Code::ResourceExhausted if has("larger than max") => Self::Refused(too_large(&message)),
            Code::InvalidArgument
            | Code::OutOfRange
            | Code::FailedPrecondition
            | Code::PermissionDenied
            | Code::Unauthenticated
            | Code::Unimplemented => Self::Refused(Error::Invalid(message)),
            Code::Unavailable if has("no leader") => Self::Unsent(message),
            _ if never_connected(status) => Self::Unsent(with_causes(status)),
            _ => Self::Unknown(with_causes(status)),
        }
    }
}

impl From<etcd_client::Error> for Failure {
    fn from(error: etcd_client::Error) -> Self {
        match &error {
            etcd_client::Error::GRpcStatus(status) => Self::of_status(status),
            etcd_client::Error::LeaseKeepAliveError(why) if why.contains("not found") => {
                Self::LeaseNotFound
            }
            etcd_client::Error::InvalidArgs(_)
            | etcd_client::Error::InvalidUri(_)
            | etcd_client::Error::InvalidMetadataValue(_) => {
                Self::Refused(Error::Invalid(error.to_string()))
            }
            _ => Self::Unknown(error.to_string()),
        }
    }
}

/// For calls in which a lease or revision can't be at fault.
impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(error) => error,
            Failure::Unsent(why) | Failure::Unknown(why) => Self::Unavailable(why),
            other => {
                Self::Unavailable(format!("etcd gave an answer that makes no sense: {other:?}"))
            }
        }
    }
}

fn no_space(message: String) -> Error {
    let source = std::io::Error::new(std::io::ErrorKind::StorageFull, message);
    Error::Io { context: "etcd".into(), source }
}

fn too_many() -> Error {
    let why = "etcd takes fewer preconditions or operations in one transaction (128, \
               if its --max-txn-ops was not raised)";
    Error::Invalid(why.into())
}

fn too_large(message: &str) -> Error {
    let why = "the transaction is larger than etcd takes (1.5 MiB, if its --max-request-bytes was not raised)";
    Error::Invalid(format!("{why}: {message}"))
}

type Cause<'a> = &'a (dyn std::error::Error + 'static);

fn causes(status: &Status) -> impl Iterator<Item = Cause<'_>> {
    fn next<'a>(cause: &Cause<'a>) -> Option<Cause<'a>> {
        (**cause).source()
    }
    std::iter::successors(status.source(), next)
}

fn never_connected(status: &Status) -> bool {
    causes(status).any(|error| error.is::<ConnectError>())
}

/// The whole story: transport errors tell it from the outside in.
fn with_causes(status: &Status) -> String {
    let mut told = status.message().to_owned();
    for cause in causes(status).map(ToString::to_string) {
        if !told.contains(&cause) {
            told = format!("{told}: {cause}");
        }
    }
    if told.is_empty() { status.code().to_string() } else { told }
}
