//! What can go wrong, and whether trying again helps.

use crate::{LeaseId, Revision};

/// Result of a store operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a store operation failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A precondition of a transaction does not hold; nothing was written. Read again, then retry.
    /// `index` is the place of the first that failed in [`crate::Txn::preconditions`].
    #[error("precondition {index} of the transaction does not hold")]
    Precondition {
        /// Place in the transaction's list of preconditions.
        index: usize,
    },
    /// The revision asked for was compacted away. Retry at a revision after `compacted`.
    #[error("revision is compacted: the oldest that can be read is {}", compacted + 1)]
    Compacted {
        /// The last compacted revision.
        compacted: Revision,
    },
    /// The revision asked for lies in the future. Retry when the store got there.
    #[error("revision {asked} is in the future: the store is at {current}")]
    Future {
        /// The revision asked for.
        asked: Revision,
        /// The store's current revision.
        current: Revision,
    },
    /// A watcher fell too far behind and was cut off. List again and watch from there.
    #[error("watcher fell behind at revision {at}")]
    Overrun {
        /// The last revision that was delivered.
        at: Revision,
    },
    /// The request itself is wrong (empty key, value over the limit). Retrying does not help.
    #[error("invalid request: {0}")]
    Invalid(String),
    /// The data on disk is damaged. Retrying does not help.
    #[error("{file}: damaged at byte {offset}: {reason}")]
    Corrupt {
        /// The file.
        file: String,
        /// Where in the file.
        offset: u64,
        /// What is wrong there.
        reason: String,
    },
    /// A value can't be opened: the key ring lacks its key, it was changed on disk, or never sealed. Retrying does
    /// not help; other keys go on working. In answer to a commit: nothing was written.
    #[error("value of {key:?} can't be opened: {reason}")]
    Sealed {
        /// The key of the pair.
        key: bytes::Bytes,
        /// Why not.
        reason: String,
    },
    /// Another process holds the data directory. Stop it, or use another directory.
    #[error("{0} is in use by another process")]
    Locked(String),
    /// The disk refused. Nothing of the commit is visible; retry when the cause is mended.
    #[error("{context}: {source}")]
    Io {
        /// What was being done.
        context: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// There is no such lease, or no longer. Grant one anew.
    #[error("lease {id:x} is not there: it ended, or was never granted")]
    LeaseNotFound {
        /// Its name.
        id: LeaseId,
    },
    /// A lease of this name is there already. Grant one with another name, or leave the choice to the store.
    #[error("lease {id:x} is there already")]
    LeaseExists {
        /// Its name.
        id: LeaseId,
    },
    /// The store can't be reached or gave no answer in time. A commit may or may not have happened: read,
    /// then retry.
    #[error("the store can't be reached: {0}")]
    Unavailable(String),
    /// The store was shut down.
    #[error("the store is closed")]
    Closed,
}

// === impl Error ===

impl Error {
    /// The same error for one more of those whom it concerns.
    pub(crate) fn again(&self) -> Self {
        match self {
            Self::Io { context, source } => {
                let source = match source.raw_os_error() {
                    Some(code) => std::io::Error::from_raw_os_error(code),
                    None => std::io::Error::new(source.kind(), source.to_string()),
                };
                Self::Io { context: context.clone(), source }
            }
            Self::Closed => Self::Closed,
            Self::Compacted { compacted } => Self::Compacted { compacted: *compacted },
            Self::Overrun { at } => Self::Overrun { at: *at },
            Self::Invalid(why) => Self::Invalid(why.clone()),
            other => {
                let context = "the log refused the commit".to_owned();
                Self::Io { context, source: std::io::Error::other(other.to_string()) }
            }
        }
    }
}
