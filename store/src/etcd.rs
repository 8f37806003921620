//! A store in an etcd cluster.

mod assembler;
mod convert;
mod failure;
mod feed;
mod lease;
mod members;
mod options;
mod reads;
mod request;
mod source;
mod watcher;

pub use options::{EtcdOptions, EtcdTls};

use crate::{
    Commit, Committed, Compact, Error, KeyRange, Lease, LeaseId, Limits, Op, Precondition, Read,
    Result, Revision, Txn, Watch, WatchStream,
};
use async_trait::async_trait;
use bytes::Bytes;
use convert::{revision, signed, unsigned};
use failure::Failure;
use feed::{Feed, Guest};
use members::{Members, Repeat};
use parking_lot::Mutex;
use request::Pins;
use source::Source;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use watcher::Watcher;

/// A pinned range with more keys is refused: etcd would not take so many compares.
const MOST_PINNED: usize = 4096;

/// A store in an etcd cluster (3.4 or later), which many processes may use at once. Revisions and leases are etcd's own.
///
/// Reads are linearizable, and are retried on other members within the deadline. A commit is sent again only when it
/// was certainly not tried; when no answer came, [`Error::Unavailable`] says that it may have happened.
///
/// All watchers of one `Etcd` share one watch in etcd, over all keys; it ends with the last of them.
///
/// [`Precondition::Unchanged`] costs a read of the range's keys at that revision and a compare for each of
/// them; etcd takes 127 at most unless its `--max-txn-ops` is raised. A key that came after that revision and went
/// again before the commit goes unnoticed, for it leaves the range as it was.
///
/// [`Compact::compact`] keeps what etcd needs to tell watchers from `up_to` on what was before: another process
/// can read at `up_to` itself until the next compaction.
///
/// Dropping it ends its streams, after what it saw committed.
pub struct Etcd {
    members: Arc<Members>,
    limits: Limits,
    /// Compacted by this process.
    compacted: AtomicU64,
    /// The last revision that an answer named.
    seen: AtomicU64,
    feed: Mutex<Weak<Feed>>,
}

// === impl Etcd ===

impl Etcd {
    /// Connects to a cluster, and makes sure that it answers.
    ///
    /// # Errors
    /// [`Error::Invalid`] for options that make no sense and for a login that is refused, [`Error::Unavailable`]
    /// when no member answers within the deadline.
    pub async fn connect(options: EtcdOptions) -> Result<Self> {
        let store = Self {
            members: Arc::new(Members::new(&options)?),
            limits: options.limits,
            compacted: AtomicU64::new(0),
            seen: AtomicU64::new(0),
            feed: Mutex::new(Weak::new()),
        };
        store.current_revision().await?;
        Ok(store)
    }

    fn compacted(&self) -> Revision {
        self.compacted.load(Ordering::Acquire)
    }

    /// Notes a revision that an answer named.
    fn saw(&self, revision: Revision) -> Revision {
        self.seen.fetch_max(revision, Ordering::AcqRel);
        revision
    }

    /// A hold on the feed; the feed starts after `now` when there is none.
    fn guest(&self, now: Revision) -> Guest {
        let mut slot = self.feed.lock();
        slot.upgrade().and_then(|feed| feed.enter()).unwrap_or_else(|| {
            let guest = Feed::start(self.members.clone(), now, self.limits.watch_batches);
            *slot = Arc::downgrade(guest.feed());
            guest
        })
    }

    /// The keys of each range that must not have changed; or which precondition asks for a revision at which that
    /// can't be known.
    async fn pins(&self, txn: &Txn) -> Result<Pins, (usize, Error)> {
        let mut pins = Pins::new();
        for (index, precondition) in txn.preconditions.iter().enumerate() {
            let Precondition::Unchanged(range, since) = precondition else { continue };
            let pin = self.pin(range, *since).await;
            pins.push(pin.map_err(|error| (index, error))?);
        }
        Ok(pins)
    }

    async fn pin(&self, range: &KeyRange, since: Revision) -> Result<Vec<Bytes>> {
        if since < self.compacted() {
            return Err(Error::Compacted { compacted: self.compacted() });
        }
        let keys = self.keys(range, since.max(1), MOST_PINNED).await?;
        keys.ok_or_else(|| {
            Error::Invalid(format!("over etcd a pinned range has at most {MOST_PINNED} keys"))
        })
    }

    async fn send(&self, txn: &Txn, pins: &Pins) -> Result<Committed> {
        let send = |client: etcd_client::Client| {
            let request = request::request(txn, pins);
            let mut kv = client.kv_client().max_decoding_message_size(usize::MAX);
            async move { kv.txn(request).await }
        };
        let answer = match self.members.call(Repeat::Forbidden, send).await {
            Err(Failure::LeaseNotFound) => return Err(self.missing_lease(txn).await?),
            result => result?.0,
        };
        self.saw(revision(answer.header.as_ref()));
        request::outcome(txn, pins, answer)
    }

    /// Names the first precondition that fails: one before `index`, or that one, with `error`.
    async fn first_failure(&self, mut txn: Txn, (index, error): (usize, Error)) -> Result<Error> {
        txn.preconditions.truncate(index);
        txn.ops.clear();
        let pins = match self.pins(&txn).await {
            Ok(pins) => pins,
            Err((_, error)) => return Ok(error),
        };
        Ok(self.send(&txn, &pins).await.err().unwrap_or(error))
    }

    /// Which of the transaction's leases is not there: the first, if several are not.
    async fn missing_lease(&self, txn: &Txn) -> Result<Error> {
        let lease = |op: &Op| match op {
            Op::Put { lease, .. } => *lease,
            Op::Delete { .. } => None,
        };
        let mut named: Vec<LeaseId> = txn.ops.iter().filter_map(lease).collect();
        named.dedup();
        if let [id] = named[..] {
            return Ok(Error::LeaseNotFound { id });
        }
        let there = self.leases().await?;
        let missing = named.into_iter().find(|id| !there.contains(id));
        let again =
            || Error::Unavailable("a lease of the transaction was not there, and is now".into());
        missing.map(|id| Error::LeaseNotFound { id }).ok_or_else(again)
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        if let Some(feed) = self.feed.lock().upgrade() {
            feed.close_after(self.seen.load(Ordering::Acquire), self.members.deadline());
        }
    }
}

#[async_trait]
impl Commit for Etcd {
    async fn commit(&self, txn: Txn) -> Result<Committed> {
        self.limits.check(&txn)?;
        match self.pins(&txn).await {
            Ok(pins) => self.send(&txn, &pins).await,
            Err(unknown) => Err(self.first_failure(txn, unknown).await?),
        }
    }
}

#[async_trait]
impl Watch for Etcd {
    async fn watch(&self, range: KeyRange, after: Revision) -> Result<WatchStream> {
        let current = self.current_revision().await?;
        if after > current {
            return Err(Error::Future { asked: after, current });
        }
        if after < self.compacted() {
            return Err(Error::Compacted { compacted: self.compacted() });
        }
        if after < current {
            // What was before the first event must be there too.
            self.keys(&KeyRange::key(convert::FIRST), after.max(1), 1).await?;
        }
        let past = || Source::after(self.members.clone(), after);
        Ok(Watcher::new(self.guest(current), range, after, past)?.into_stream())
    }

    async fn request_progress(&self) -> Result<()> {
        let current = self.current_revision().await?;
        if let Some(feed) = self.feed.lock().upgrade() {
            feed.request_progress(current);
        }
        Ok(())
    }
}

#[async_trait]
impl Compact for Etcd {
    async fn compact(&self, up_to: Revision) -> Result<()> {
        let current = self.current_revision().await?;
        if up_to > current {
            return Err(Error::Future { asked: up_to, current });
        }
        if up_to == 0 {
            return Ok(());
        }
        // The feed still needs what was before the events that are on their way.
        let feed = self.feed.lock().upgrade();
        if let Some(feed) = feed {
            let reached = tokio::time::timeout(self.members.deadline(), feed.reached(up_to)).await;
            reached.map_err(|_| Error::Unavailable("the watch in etcd lags behind".into()))?;
        }
        let compact = |client: etcd_client::Client| async move {
            client.kv_client().compact(signed(up_to), None).await
        };
        match self.members.call(Repeat::Harmless, compact).await {
            // It was compacted up to there, or further.
            Err(Failure::Compacted) => {}
            result => {
                let header = result?.take_header();
                self.saw(header.map_or(0, |header| unsigned(header.revision())));
            }
        }
        self.compacted.fetch_max(up_to.min(current - 1), Ordering::AcqRel);
        Ok(())
    }
}
