//! What an engine must give to carry an embedded store.

use crate::mvcc::LeaseChange;
use crate::{Batch, Event, LeaseId, Op, Result, Revision};
use std::time::Duration;

/// What a lease that comes or goes counts.
const LEASE_WEIGHT: usize = 32;

/// One entry of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A transaction that happened.
    Commit {
        /// Its revision.
        revision: Revision,
        /// What it changed; no operation without an effect.
        ops: Vec<Op>,
    },
    /// History up to this revision was forgotten.
    Compact {
        /// The last forgotten revision.
        up_to: Revision,
    },
    /// A lease came.
    Grant {
        /// The revision of the last commit before it.
        after: Revision,
        /// Its name.
        id: LeaseId,
        /// Its whole time to live, in whole seconds.
        ttl: Duration,
    },
    /// A lease ended; the commit before has removed its keys.
    Revoke {
        /// The revision of the last commit before it.
        after: Revision,
        /// Its name.
        id: LeaseId,
    },
}

/// A durable log of records. It has one user, on one thread.
pub trait Log: Send {
    /// Adds records, all or none, and returns when they are as durable as was asked for.
    ///
    /// # Errors
    /// [`crate::Error::Io`]: none of the records is in the log, and the next append may succeed.
    fn append(&mut self, records: &[Record]) -> Result<()>;

    /// Calls `each` with all commits at or after revision `from`, and with all records of other kinds
    /// that are left, in order; who calls leaves out those that are too old. Called once, before anything else.
    ///
    /// # Errors
    /// [`crate::Error::Corrupt`] when a record is damaged or missing; errors of `each`.
    fn replay(&mut self, from: Revision, each: &mut dyn FnMut(Record) -> Result<()>) -> Result<()>;

    /// Allows the log to forget commits up to this revision, and records of other kinds before the last of
    /// these: a snapshot holds what they did.
    ///
    /// # Errors
    /// [`crate::Error::Io`]; the log may be longer than it needs to be, and is sound.
    fn truncate(&mut self, up_to: Revision) -> Result<()>;

    /// Writes down what is still under way. Called last.
    ///
    /// # Errors
    /// [`crate::Error::Io`]; what was durable stays so.
    fn close(&mut self) -> Result<()> {
        Ok(())
    }
}

// === impl Record ===

impl Record {
    /// About how many bytes it is long.
    pub(crate) fn weight(&self) -> usize {
        let ops = match self {
            Self::Commit { ops, .. } => ops,
            Self::Compact { .. } => return 0,
            Self::Grant { .. } | Self::Revoke { .. } => return LEASE_WEIGHT,
        };
        let value = |op: &Op| match op {
            Op::Put { value, .. } => value.len(),
            Op::Delete { .. } => 0,
        };
        ops.iter().map(|op| op.key().len() + value(op)).sum()
    }
}

impl From<&Batch> for Record {
    fn from(batch: &Batch) -> Self {
        let ops = batch.events.iter().map(|event| match event {
            Event::Put { now, .. } => {
                Op::Put { key: now.key.clone(), value: now.value.clone(), lease: now.lease }
            }
            Event::Delete { previous } => Op::Delete { key: previous.key.clone() },
        });
        Self::Commit { revision: batch.revision, ops: ops.collect() }
    }
}

impl From<&LeaseChange> for Record {
    fn from(change: &LeaseChange) -> Self {
        let LeaseChange { after, id, grant } = *change;
        match grant {
            Some(grant) => Self::Grant { after, id, ttl: grant.ttl },
            None => Self::Revoke { after, id },
        }
    }
}
