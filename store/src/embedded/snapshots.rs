//! When a snapshot is due, and the thread that lives as long as one is written.

use super::disk::DataDir;
use super::snapshot;
use super::writer::Job;
use crate::mvcc::Mvcc;
use crate::{Error, Result, Revision};
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::mpsc::WeakSender;

/// Takes a snapshot whenever the log got longer than `after` and than the last snapshot: so the
/// writing of snapshots at most doubles what is written.
pub(super) struct Snapshots {
    pub(super) dir: Arc<DataDir>,
    pub(super) mvcc: Arc<Mvcc>,
    pub(super) done: WeakSender<Job>,
    pub(super) after: u64,
    /// Bytes in the log that no snapshot covers.
    pub(super) logged: u64,
    /// Length of the last snapshot.
    pub(super) last: u64,
    pub(super) running: Option<Running>,
}

/// A snapshot on its way.
pub(super) struct Running {
    thread: JoinHandle<()>,
    logged_before: u64,
}

// === impl Snapshots ===

impl Snapshots {
    /// The log grew.
    pub(super) fn logged(&mut self, bytes: u64) {
        self.logged += bytes;
    }

    /// Starts a snapshot in the background when it is time for one.
    pub(super) fn start_if_due(&mut self) {
        if self.running.is_some() || self.logged < self.after.max(self.last) {
            return;
        }
        let (dir, mvcc, done) = (self.dir.clone(), self.mvcc.clone(), self.done.clone());
        let work = move || {
            let result = take(&dir, &mvcc);
            // Who hears of the end may close the store at once: the directory must be free then.
            drop(dir);
            // Without a writer nobody needs to know.
            if let Some(done) = done.upgrade() {
                let _closed = done.blocking_send(Job::Snapshotted(result));
            }
        };
        match std::thread::Builder::new().name("store-snapshot".into()).spawn(work) {
            Ok(thread) => {
                self.running = Some(Running { thread, logged_before: self.logged });
            }
            Err(error) => {
                tracing::warn!(%error, "could not start a snapshot");
                self.put_off();
            }
        }
    }

    /// Notes the end of a snapshot; up to where the log is not needed any more.
    pub(super) fn ended(&mut self, result: Result<(Revision, u64)>) -> Option<Revision> {
        let covered = self.running.take().map_or(0, |running| running.logged_before);
        match result {
            Ok((revision, bytes)) => {
                self.logged -= covered;
                self.last = bytes;
                Some(revision)
            }
            Err(error) => {
                tracing::warn!(%error, "could not write a snapshot; the log grows until the next");
                self.put_off();
                None
            }
        }
    }

    /// Tries again when the log has grown some more.
    fn put_off(&mut self) {
        self.logged = self.after.max(self.last) / 4 * 3;
    }

    /// Waits for a snapshot that is under way; it gives up when the store is closed.
    pub(super) fn join(&mut self) {
        if let Some(running) = self.running.take()
            && running.thread.join().is_err()
        {
            tracing::error!("the snapshot thread panicked");
        }
    }
}

/// Writes a snapshot of now, or of a later now when that one is compacted meanwhile. Up to where the log
/// is not needed, and the snapshot's length.
fn take(dir: &DataDir, mvcc: &Mvcc) -> Result<(Revision, u64)> {
    loop {
        let moment = mvcc.moment()?;
        match snapshot::write(dir, mvcc, &moment) {
            Err(Error::Compacted { .. }) => {}
            // Leases have no revision: those that came after the last commit may be in the log only.
            result => return result.map(|bytes| (moment.revision - 1, bytes)),
        }
    }
}
