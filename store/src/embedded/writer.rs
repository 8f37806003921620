//! The one thread that writes: it takes all commits that wait, decides them in order, makes them
//! durable together, and only then shows and acknowledges them.

use super::group::{Answer, Group, Reply};
use super::log::{Log, Record};
use super::snapshots::Snapshots;
use crate::mvcc::{Mvcc, Writer};
use crate::{Committed, LeaseId, LeaseStatus, Result, Revision, Txn};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// How many jobs may wait; who comes later waits for a place.
pub(super) const QUEUE: usize = 4096;
/// A group that has this many bytes is written before more is decided.
const GROUP_BYTES: usize = 8 << 20;

/// What the thread is asked to do.
pub(super) enum Job {
    Commit(Txn, Reply<Committed>),
    /// Makes a lease that begins at `now`: the thread's own clock may be another one.
    Grant {
        ttl: Duration,
        id: Option<LeaseId>,
        now: Instant,
        reply: Reply<LeaseStatus>,
    },
    /// Ends a lease; with `due` only one whose time was over then.
    Revoke {
        id: LeaseId,
        due: Option<Instant>,
        reply: Reply<Revision>,
    },
    /// Notes a compaction.
    Compact(Revision, Reply<()>),
    /// A snapshot ended, well or not.
    Snapshotted(Result<(Revision, u64)>),
    /// Takes no more jobs; those that wait are done.
    Close,
}

/// The thread's belongings.
pub(super) struct Appender {
    pub(super) mvcc: Arc<Mvcc>,
    pub(super) writer: Writer,
    pub(super) log: Box<dyn Log>,
    pub(super) snapshots: Snapshots,
}

// === impl Appender ===

impl Appender {
    /// Works until the store is closed or dropped.
    pub(super) fn run(mut self, mut jobs: mpsc::Receiver<Job>) -> Result<()> {
        let mut taken = Vec::new();
        while jobs.blocking_recv_many(&mut taken, QUEUE) > 0 {
            if taken.iter().any(|job| matches!(job, Job::Close)) {
                jobs.close();
            }
            self.work(taken.drain(..));
        }
        self.end();
        self.log.close()
    }

    /// Ends all streams, then waits for a snapshot that is under way.
    fn end(&mut self) {
        self.mvcc.close();
        self.snapshots.join();
    }

    fn work(&mut self, jobs: impl Iterator<Item = Job>) {
        let mut group = Group::new(&self.writer);
        for job in jobs {
            match job {
                Job::Commit(txn, reply) => {
                    group.add(|g| Answer::Commit(reply, self.writer.stage(g, txn)));
                }
                Job::Grant { ttl, id, now, reply } => {
                    group.add(|g| Answer::Grant(reply, self.writer.grant(g, (ttl, id), now)));
                }
                Job::Revoke { id, due, reply } => {
                    group.add(|g| Answer::Revoke(reply, self.writer.revoke(g, id, due)));
                }
                Job::Close => {}
                job => {
                    group = self.flush(group);
                    self.other(job);
                }
            }
            if group.bytes >= GROUP_BYTES {
                group = self.flush(group);
            }
        }
        self.flush(group);
        self.snapshots.start_if_due();
    }

    /// Makes a group durable, shows it, answers. What was decided on top of what could not be made
    /// durable is void with them. The next group.
    fn flush(&mut self, group: Group) -> Group {
        let appended = match &group.records[..] {
            [] => Ok(()),
            records => self.log.append(records),
        };
        if appended.is_ok() && !group.records.is_empty() {
            self.writer.publish(&group.pending);
            self.snapshots.logged(group.bytes as u64);
        }
        group.answer(&appended);
        Group::new(&self.writer)
    }

    fn other(&mut self, job: Job) {
        match job {
            Job::Compact(up_to, reply) => {
                let _gone = reply.send(self.note_compaction(up_to));
            }
            Job::Snapshotted(result) => {
                let truncated = self.snapshots.ended(result).map(|up_to| self.log.truncate(up_to));
                if let Some(Err(error)) = truncated {
                    tracing::warn!(%error, "could not shorten the log");
                }
            }
            Job::Commit(..) | Job::Grant { .. } | Job::Revoke { .. } | Job::Close => {
                unreachable!("handled with the group")
            }
        }
    }

    fn note_compaction(&mut self, up_to: Revision) -> Result<()> {
        match self.mvcc.can_compact(up_to)? {
            true => self.log.append(&[Record::Compact { up_to }]),
            false => Ok(()),
        }
    }
}

impl Drop for Appender {
    /// Also after a panic: nobody must wait for what does not come any more.
    fn drop(&mut self) {
        self.end();
    }
}
