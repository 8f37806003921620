//! The one thread that writes: it takes all commits that wait, decides them in order, makes them
//! durable together, and only then shows and acknowledges them.

use super::log::{Log, Record};
use super::snapshots::Snapshots;
use crate::mvcc::{Mvcc, Pending, Writer};
use crate::{Committed, Error, Result, Revision, Txn};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// How many jobs may wait; who comes later waits for a place.
pub(super) const QUEUE: usize = 4096;
/// A group that has this many bytes is written before more is decided.
const GROUP_BYTES: usize = 8 << 20;

/// Where the answer to a job goes. Nobody may be waiting any more.
type Reply<T> = oneshot::Sender<Result<T>>;

/// What the thread is asked to do.
pub(super) enum Job {
    Commit(Txn, Reply<Committed>),
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

/// Commits that were decided and wait to be durable.
struct Group {
    pending: Pending,
    records: Vec<Record>,
    bytes: usize,
    replies: Vec<(Reply<Committed>, Result<Committed>)>,
}

// === impl Group ===

impl Group {
    fn new(writer: &Writer) -> Self {
        Self { pending: writer.pending(), records: Vec::new(), bytes: 0, replies: Vec::new() }
    }

    fn add(&mut self, writer: &Writer, txn: Txn, reply: Reply<Committed>) {
        let before = self.pending.batches().len();
        let result = writer.stage(&mut self.pending, txn);
        for batch in &self.pending.batches()[before..] {
            let record = Record::from(batch);
            self.bytes += record.weight();
            self.records.push(record);
        }
        self.replies.push((reply, result));
    }
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
                Job::Commit(txn, reply) => group.add(&self.writer, txn, reply),
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

    /// Makes a group durable, shows it, answers. What was decided on top of commits that could not be
    /// made durable is void with them. The next group.
    fn flush(&mut self, group: Group) -> Group {
        let appended = match &group.records[..] {
            [] => Ok(()),
            records => self.log.append(records),
        };
        if appended.is_ok() && !group.records.is_empty() {
            self.writer.publish(group.pending.batches());
            self.snapshots.logged(group.bytes as u64);
        }
        for (reply, result) in group.replies {
            let result = appended.as_ref().map_err(Error::again).and(result);
            // The one who asked may have gone; the commit stands.
            let _gone = reply.send(result);
        }
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
            Job::Commit(..) | Job::Close => unreachable!("handled with the group"),
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
