//! What an engine must give to carry an embedded store.

use crate::{Batch, Event, Op, Result, Revision};

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
}

/// A durable log of records. It has one user, on one thread.
pub trait Log: Send {
    /// Adds records, all or none, and returns when they are as durable as was asked for.
    ///
    /// # Errors
    /// [`crate::Error::Io`]: none of the records is in the log, and the next append may succeed.
    fn append(&mut self, records: &[Record]) -> Result<()>;

    /// Calls `each` with all commits at or after revision `from`, and the other records between
    /// them, in order. Called once, before anything else.
    ///
    /// # Errors
    /// [`crate::Error::Corrupt`] when a record is damaged or missing; errors of `each`.
    fn replay(&mut self, from: Revision, each: &mut dyn FnMut(Record) -> Result<()>) -> Result<()>;

    /// Allows the log to forget commits up to this revision: a snapshot holds what they did.
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
    /// The bytes of keys and values in it.
    pub(crate) fn weight(&self) -> usize {
        let Self::Commit { ops, .. } = self else { return 0 };
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
