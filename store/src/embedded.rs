//! A durable store in one directory, for one process.

mod disk;
mod encoder;
#[cfg_attr(not(feature = "testing"), expect(unreachable_pub, reason = "public for tests only"))]
pub(crate) mod files;
mod frame;
mod group;
mod leases;
mod log;
mod options;
mod record;
mod replay;
mod restore;
mod segment;
mod segments;
mod snapshot;
mod snapshots;
mod writer;

pub(crate) use encoder::Encoder;
pub use log::{Log, Record};
pub use options::{Durability, EmbeddedOptions};
pub(crate) use restore::restore;

use crate::mvcc::Mvcc;
use crate::{
    Commit, Committed, Compact, Error, KeyRange, KeyValue, RangeResult, Read, Result, Revision,
    Txn, Watch, WatchStream,
};
use async_trait::async_trait;
use disk::DataDir;
use files::{FileSystem, Machine};
use parking_lot::Mutex;
use segments::SegmentLog;
use snapshots::Snapshots;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::{mpsc, oneshot, watch};
use writer::{Appender, Job};

/// All keys in memory, every change in a log on disk.
///
/// Commits that come together share one sync of the disk; each is acknowledged, and seen by
/// readers and watchers, when it is durable. After a restart revisions go on where they were. History
/// then begins with the log that is left: a watch from before it gets [`Error::Compacted`]. Leases
/// have their whole time again. They end while [`Embedded::expiry`] runs.
///
/// Dropping it closes it, and blocks for the last write.
pub struct Embedded {
    mvcc: Arc<Mvcc>,
    jobs: Option<mpsc::Sender<Job>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    ended: watch::Receiver<Option<Result<()>>>,
}

// === impl Embedded ===

impl Embedded {
    /// Opens the store in a directory, which is made when it is not there. Reads all of it: call
    /// it where blocking is allowed.
    ///
    /// # Errors
    /// [`Error::Locked`] when a store has it open, [`Error::Corrupt`] when a file is damaged in
    /// a way that no crash explains, [`Error::Io`].
    pub fn open(options: EmbeddedOptions) -> Result<Self> {
        Self::open_through(options, Arc::new(Machine))
    }

    /// Whether anything was ever written to a store in this directory.
    ///
    /// # Errors
    /// [`Error::Io`] when the directory can't be listed.
    pub fn is_in(dir: &Path) -> Result<bool> {
        disk::holds_store(dir)
    }

    /// Opens it through another file system: for tests of what a store does when one fails.
    ///
    /// # Errors
    /// As for [`Embedded::open`].
    #[cfg(feature = "testing")]
    pub fn open_on(options: EmbeddedOptions, files: Arc<dyn FileSystem>) -> Result<Self> {
        Self::open_through(options, files)
    }

    fn open_through(options: EmbeddedOptions, files: Arc<dyn FileSystem>) -> Result<Self> {
        let dir = Arc::new(DataDir::open(&options.dir, files)?);
        let log = SegmentLog::new(dir.clone(), &options);
        Self::start(options, dir, Box::new(log))
    }

    /// The same over another log. The directory holds the lock and the snapshots.
    ///
    /// # Errors
    /// As for [`Embedded::open`].
    pub fn open_with(options: EmbeddedOptions, log: Box<dyn Log>) -> Result<Self> {
        let dir = Arc::new(DataDir::open(&options.dir, Arc::new(Machine))?);
        Self::start(options, dir, log)
    }

    fn start(options: EmbeddedOptions, dir: Arc<DataDir>, mut log: Box<dyn Log>) -> Result<Self> {
        let (mut state, last) = snapshot::load(&dir)?;
        let logged = replay::replay(&mut *log, &mut state, &options)?;
        let (mvcc, writer) = Mvcc::new(state, options.limits);
        let (jobs, queue) = mpsc::channel(writer::QUEUE);
        let snapshots = Snapshots {
            dir,
            mvcc: mvcc.clone(),
            done: jobs.downgrade(),
            after: options.snapshot_after_bytes,
            logged,
            last,
            running: None,
        };
        let appender = Appender { mvcc: mvcc.clone(), writer, log, snapshots };
        let (end, ended) = watch::channel(None);
        let work = move || {
            end.send_replace(Some(appender.run(queue)));
        };
        let thread = std::thread::Builder::new().name("store-writer".into()).spawn(work);
        let thread = thread.map_err(disk::io_error("start a thread for", &options.dir))?;
        Ok(Self { mvcc, jobs: Some(jobs), thread: Mutex::new(Some(thread)), ended })
    }

    /// Finishes the commits that wait, ends all streams, and lets go of the directory. From then on
    /// everything answers [`Error::Closed`]. Whoever calls it, once more or at the same time, waits for
    /// the same end and is told the same.
    ///
    /// # Errors
    /// [`Error::Io`] when the end of the log could not be written; what was acknowledged is durable
    /// all the same (with [`Durability::Buffered`] it may not be). [`Error::Closed`] when the thread that writes
    /// ended by a panic.
    pub async fn close(&self) -> Result<()> {
        // A refusal means that it closes already.
        let _closing = self.send(Job::Close).await;
        let mut ended = self.ended.clone();
        let result = ended.wait_for(Option::is_some).await;
        match result.as_deref() {
            Ok(Some(Err(error))) => Err(error.again()),
            Ok(_) => Ok(()),
            Err(_) => Err(Error::Closed),
        }
    }

    async fn send(&self, job: Job) -> Result<()> {
        let jobs = self.jobs.as_ref().ok_or(Error::Closed)?;
        jobs.send(job).await.map_err(|_| Error::Closed)
    }

    async fn ask<T>(&self, job: impl FnOnce(oneshot::Sender<Result<T>>) -> Job) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        self.send(job(reply)).await?;
        answer.await.map_err(|_| Error::Closed)?
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.jobs = None;
        let joined = self.thread.lock().take().map(JoinHandle::join);
        if let Some(Err(_)) = joined {
            tracing::error!("the thread that writes the store panicked");
        }
        if let Some(Err(error)) = &*self.ended.borrow() {
            tracing::warn!(%error, "the store did not close cleanly");
        }
    }
}

#[async_trait]
impl Read for Embedded {
    async fn current_revision(&self) -> Result<Revision> {
        self.mvcc.revision()
    }

    async fn get(&self, key: &[u8], at: Option<Revision>) -> Result<Option<KeyValue>> {
        self.mvcc.get(key, at)
    }

    async fn range(
        &self,
        range: &KeyRange,
        limit: usize,
        at: Option<Revision>,
    ) -> Result<RangeResult> {
        self.mvcc.range(range, limit, at).await
    }
}

#[async_trait]
impl Commit for Embedded {
    async fn commit(&self, txn: Txn) -> Result<Committed> {
        self.mvcc.limits().check(&txn)?;
        self.ask(|reply| Job::Commit(txn, reply)).await
    }
}

#[async_trait]
impl Watch for Embedded {
    async fn watch(&self, range: KeyRange, after: Revision) -> Result<WatchStream> {
        Ok(Box::pin(self.mvcc.watch(range, after)?))
    }

    async fn request_progress(&self) -> Result<()> {
        self.mvcc.request_progress()
    }
}

#[async_trait]
impl Compact for Embedded {
    async fn compact(&self, up_to: Revision) -> Result<()> {
        self.ask(|reply| Job::Compact(up_to, reply)).await?;
        self.mvcc.compact(up_to).await
    }
}
