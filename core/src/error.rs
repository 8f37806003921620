//! What a client call can end in.

use crate::meta::{Reason, Status};

/// Result of a client call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a client call failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The server said no. [`Status::reason`] tells whether to retry.
    #[error("{}", .0.message)]
    Status(Box<Status>),
    /// The answer can't be read. Retrying does not help.
    #[error("{context}: {reason}")]
    Decode {
        /// What was read.
        context: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The server could not be reached or went away. Retry with back-off.
    #[error("{0}")]
    Transport(String),
    /// This process does not lead, or leads no more (see [`crate::leaderelection`]). Retrying does not help.
    #[error("not written: this process is not the leader")]
    NotLeader,
}

impl Error {
    /// The server's reason, if it was the server that said no.
    #[must_use]
    pub fn reason(&self) -> Option<Reason> {
        match self {
            Self::Status(status) => Some(status.reason.clone()),
            _ => None,
        }
    }

    /// The object does not exist.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.reason() == Some(Reason::NotFound)
    }

    /// The server's answer is about an object of this name. One that knows no such path says "not found" too, but of no
    /// object: then it is not known whether the object exists.
    #[must_use]
    pub fn names(&self, name: &str) -> bool {
        match self {
            Self::Status(status) => status.details.as_ref().is_some_and(|about| about.name == name),
            _ => false,
        }
    }

    /// An object of that name exists.
    #[must_use]
    pub fn is_already_exists(&self) -> bool {
        self.reason() == Some(Reason::AlreadyExists)
    }

    /// The object was changed in between: read it again, then retry.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        self.reason() == Some(Reason::Conflict)
    }

    /// The resource version is gone: list again.
    #[must_use]
    pub fn is_expired(&self) -> bool {
        matches!(self.reason(), Some(Reason::Expired | Reason::Gone))
    }

    /// A decode error with its context.
    pub fn decode(context: impl Into<String>, reason: impl std::fmt::Display) -> Self {
        Self::Decode { context: context.into(), reason: reason.to_string() }
    }
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        Self::Status(Box::new(status))
    }
}
