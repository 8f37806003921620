//! What was decided together and waits to be durable.

use super::log::Record;
use crate::mvcc::{Pending, Writer};
use crate::{Committed, Error, LeaseStatus, Result, Revision};
use tokio::sync::oneshot;

/// Where the answer to a job goes. Nobody may be waiting any more.
pub(super) type Reply<T> = oneshot::Sender<Result<T>>;

/// Commits and leases, each decided on top of those before it.
pub(super) struct Group {
    pub(super) pending: Pending,
    pub(super) records: Vec<Record>,
    /// Of keys and values in the records.
    pub(super) bytes: usize,
    answers: Vec<Answer>,
}

/// An answer, and whom to tell.
pub(super) enum Answer {
    Commit(Reply<Committed>, Result<Committed>),
    Grant(Reply<LeaseStatus>, Result<LeaseStatus>),
    Revoke(Reply<Revision>, Result<Revision>),
}

// === impl Group ===

impl Group {
    pub(super) fn new(writer: &Writer) -> Self {
        let (records, answers) = (Vec::new(), Vec::new());
        Self { pending: writer.pending(), records, bytes: 0, answers }
    }

    /// Decides one more thing.
    pub(super) fn add(&mut self, stage: impl FnOnce(&mut Pending) -> Answer) {
        let (batches, leases) = (self.pending.batches().len(), self.pending.leases().len());
        self.answers.push(stage(&mut self.pending));
        let commits = self.pending.batches()[batches..].iter().map(Record::from);
        // The end of a lease comes after the commit that removes its keys.
        let leases = self.pending.leases()[leases..].iter().map(Record::from);
        for record in commits.chain(leases) {
            self.bytes += record.weight();
            self.records.push(record);
        }
    }

    /// Tells everyone, when it is known whether the group is durable.
    pub(super) fn answer(self, appended: &Result<()>) {
        self.answers.into_iter().for_each(|answer| answer.send(appended));
    }
}

// === impl Answer ===

impl Answer {
    fn send(self, appended: &Result<()>) {
        match self {
            Self::Commit(reply, result) => send(reply, result, appended),
            Self::Grant(reply, result) => send(reply, result, appended),
            Self::Revoke(reply, result) => send(reply, result, appended),
        }
    }
}

fn send<T>(reply: Reply<T>, result: Result<T>, appended: &Result<()>) {
    let result = appended.as_ref().map_err(Error::again).and(result);
    // The one who asked may have gone; what was done stands.
    let _gone = reply.send(result);
}
