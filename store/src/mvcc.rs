//! The one multi-version structure that every backend of this crate stands on.
//!
//! Reads take a lock that a writer holds only while it puts finished changes in place, and long
//! reads let go of it every few hundred keys: what they see stays the same, for it is bound to a
//! revision. A writer first *stages* transactions (decides, changes nothing), makes them durable if
//! it must, and then *publishes* them: from then on readers and watchers see them, in order.
//!
//! Locks are taken in this order: hub, state.

mod expiry;
pub(crate) mod hub;
mod index;
mod keys;
mod leases;
mod queue;
mod slot;
mod stage;
mod state;
mod watcher;

pub(crate) use expiry::expire;
pub(crate) use leases::{LeaseChange, Leases};
pub(crate) use stage::Pending;
pub(crate) use state::State;
#[cfg(feature = "etcd")]
pub(crate) use state::select;

use crate::{
    Committed, Error, KeyRange, KeyValue, LeaseId, LeaseStatus, Limits, RangeResult, Result,
    Revision, Txn,
};
use bytes::Bytes;
use hub::Hub;
use parking_lot::{Mutex, RwLock};
use state::Scan;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use watcher::Watcher;

/// How many keys are looked at, or commits forgotten, in one go under the lock.
const CHUNK: usize = 512;
/// How many chunks a task may work through before others get their turn.
const CHUNKS_PER_TURN: usize = 16;
/// A new watcher this close to the present is caught up while commits wait.
const NEARLY_NOW: u64 = 1024;

/// Versions, history and watchers of a store.
pub(crate) struct Mvcc {
    state: RwLock<State>,
    hub: Mutex<Hub>,
    limits: Limits,
    /// Told when a lease ends sooner than all others did, and when the store closes.
    sooner: watch::Sender<()>,
}

/// A revision and the leases there were then.
pub(crate) struct Moment {
    pub(crate) revision: Revision,
    pub(crate) leases: Vec<(LeaseId, Duration)>,
    /// At least as many as were ever granted.
    pub(crate) grants: u64,
}

/// The right to change an [`Mvcc`]. There is one for each.
pub(crate) struct Writer {
    mvcc: Arc<Mvcc>,
}

// === impl Mvcc ===

impl Mvcc {
    /// Readers and the writer of `state`.
    pub(crate) fn new(state: State, limits: Limits) -> (Arc<Self>, Writer) {
        let hub = Mutex::new(Hub::default());
        let (state, sooner) = (RwLock::new(state), watch::Sender::new(()));
        let mvcc = Arc::new(Self { state, hub, limits, sooner });
        (mvcc.clone(), Writer { mvcc })
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn revision(&self) -> Result<Revision> {
        self.state.read().readable(None)
    }

    /// Now.
    pub(crate) fn moment(&self) -> Result<Moment> {
        let state = self.state.read();
        let (revision, leases) = (state.readable(None)?, state.leases());
        Ok(Moment { revision, leases: leases.all().collect(), grants: leases.grants() })
    }

    /// See [`crate::Lease::keep_alive`].
    pub(crate) fn keep_alive(&self, id: LeaseId) -> Result<Duration> {
        let mut state = self.state.write();
        state.readable(None)?;
        // The time is taken under the lock: nobody has found it to be over before.
        let ttl = state.leases_mut().keep_alive(id, Instant::now());
        ttl.ok_or(Error::LeaseNotFound { id })
    }

    /// See [`crate::Lease::time_to_live`].
    pub(crate) fn time_to_live(&self, id: LeaseId) -> Result<(LeaseStatus, Vec<Bytes>)> {
        let state = self.state.read();
        state.readable(None)?;
        let status = state.leases().status(id, Instant::now());
        let status = status.ok_or(Error::LeaseNotFound { id })?;
        let mut keys: Vec<Bytes> = state.leases().keys(id, None).take(CHUNK).cloned().collect();
        drop(state);
        // Commits wait for a piece at most.
        let mut fresh = keys.len();
        while fresh == CHUNK {
            let state = self.state.read();
            let before = keys.len();
            let last = keys.last().cloned();
            keys.extend(state.leases().keys(id, last.as_ref()).take(CHUNK).cloned());
            fresh = keys.len() - before;
        }
        Ok((status, keys))
    }

    /// See [`crate::Lease::leases`].
    pub(crate) fn leases(&self) -> Result<Vec<LeaseId>> {
        Ok(self.moment()?.leases.into_iter().map(|(id, _)| id).collect())
    }

    /// When the next lease ends.
    fn next_end(&self) -> Result<Option<Instant>> {
        let state = self.state.read();
        state.readable(None)?;
        Ok(state.leases().next_end())
    }

    fn due(&self, now: Instant, most: usize) -> Vec<LeaseId> {
        self.state.read().leases().due(now, most)
    }

    pub(crate) fn get(&self, key: &[u8], at: Option<Revision>) -> Result<Option<KeyValue>> {
        self.state.read().get(key, at)
    }

    /// See [`crate::Read::range`].
    pub(crate) async fn range(
        &self,
        range: &KeyRange,
        limit: usize,
        at: Option<Revision>,
    ) -> Result<RangeResult> {
        loop {
            match self.range_once(range, limit, at).await {
                // "Now" was compacted while being read: there is a newer now.
                Err(Error::Compacted { .. }) if at.is_none() => {}
                result => return result,
            }
        }
    }

    async fn range_once(
        &self,
        range: &KeyRange,
        limit: usize,
        at: Option<Revision>,
    ) -> Result<RangeResult> {
        let revision = self.state.read().readable(at)?;
        let mut scan = Scan::new(range, revision);
        let mut result = RangeResult { items: Vec::new(), remaining: 0, revision };
        let mut chunks = 0;
        while !scan.is_done() {
            self.range_chunk(&mut scan, limit, &mut result)?;
            chunks += 1;
            if chunks % CHUNKS_PER_TURN == 0 {
                tokio::task::yield_now().await;
            }
        }
        Ok(result)
    }

    fn range_chunk(&self, scan: &mut Scan<'_>, limit: usize, to: &mut RangeResult) -> Result<()> {
        let state = self.state.read();
        let want = if limit == 0 { usize::MAX } else { limit - to.items.len() };
        if want == 0 {
            to.remaining += match state.count_rest(scan)? {
                Some(rest) => rest,
                None => state.count(scan, CHUNK)?,
            };
            return Ok(());
        }
        state.scan(scan, CHUNK, want, |kv| to.items.push(kv))
    }

    /// The next keys at a revision, for one who copies the store out piece by piece.
    pub(crate) fn page(&self, after: Option<&Bytes>, at: Revision) -> Result<Vec<KeyValue>> {
        let mut scan = Scan::after(after, at);
        let mut items = Vec::with_capacity(CHUNK);
        while items.is_empty() && !scan.is_done() {
            self.state.read().scan(&mut scan, CHUNK, usize::MAX, |kv| items.push(kv))?;
        }
        Ok(items)
    }

    /// See [`crate::Watch::watch`].
    pub(crate) fn watch(self: &Arc<Self>, range: KeyRange, after: Revision) -> Result<Watcher> {
        let mut backlog = VecDeque::new();
        let mut at = after;
        while self.revision()?.saturating_sub(at) > NEARLY_NOW {
            at = self.state.read().replay(&range, at, CHUNK, &mut backlog)?;
        }
        let mut hub = self.hub.lock();
        self.state.read().replay(&range, at, usize::MAX, &mut backlog)?;
        let place = hub.add(range, self.limits.watch_batches);
        Ok(Watcher::new(Arc::downgrade(self), place, backlog))
    }

    /// See [`crate::Watch::request_progress`].
    pub(crate) fn request_progress(&self) -> Result<()> {
        let hub = self.hub.lock();
        let wakers = hub.progress(self.revision()?);
        drop(hub);
        wakers.into_iter().for_each(std::task::Waker::wake);
        Ok(())
    }

    /// Whether [`Mvcc::compact`] would do anything.
    pub(crate) fn can_compact(&self, up_to: Revision) -> Result<bool> {
        self.state.read().can_compact(up_to)
    }

    /// See [`crate::Compact::compact`].
    pub(crate) async fn compact(&self, up_to: Revision) -> Result<()> {
        self.state.write().compact(up_to)?;
        let forget = || self.state.write().forget(CHUNK);
        // What was forgotten is dropped here, where no lock is held.
        while !forget().is_empty() {
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// From now on everything answers [`Error::Closed`]; streams end.
    pub(crate) fn close(&self) {
        let mut hub = self.hub.lock();
        self.state.write().close();
        let wakers = hub.close();
        drop(hub);
        wakers.into_iter().for_each(std::task::Waker::wake);
        self.sooner.send_replace(());
    }

    fn forget_watcher(&self, place: &hub::Place) {
        self.hub.lock().remove(place);
    }
}

// === impl Writer ===

impl Writer {
    /// An empty group of transactions on top of what readers see.
    pub(crate) fn pending(&self) -> Pending {
        Pending::after(self.mvcc.state.read().revision())
    }

    /// Decides what a transaction would do on top of those already in the group; changes nothing
    /// that anyone can see.
    pub(crate) fn stage(&self, pending: &mut Pending, txn: Txn) -> Result<Committed> {
        pending.stage(&self.mvcc.state.read(), txn)
    }

    /// The same for a lease that begins at `now`.
    pub(crate) fn grant(
        &self,
        pending: &mut Pending,
        (ttl, id): (Duration, Option<LeaseId>),
        now: Instant,
    ) -> Result<LeaseStatus> {
        let id = pending.grant(&self.mvcc.state.read(), id, ttl, now)?;
        Ok(LeaseStatus { id, granted: ttl, remaining: ttl })
    }

    /// The same for the end of a lease; see [`Pending::revoke`].
    pub(crate) fn revoke(
        &self,
        pending: &mut Pending,
        id: LeaseId,
        due: Option<Instant>,
    ) -> Result<Revision> {
        pending.revoke(&self.mvcc.state.read(), id, due)
    }

    /// Shows a group to readers, then to watchers.
    pub(crate) fn publish(&mut self, group: &Pending) {
        let mut hub = self.mvcc.hub.lock();
        let sooner = {
            let mut state = self.mvcc.state.write();
            let before = state.leases().next_end();
            state.apply_group(group);
            let next = state.leases().next_end();
            next.is_some_and(|next| before.is_none_or(|before| next < before))
        };
        let wakers = hub.publish(group.batches());
        drop(hub);
        wakers.into_iter().for_each(std::task::Waker::wake);
        if sooner {
            self.mvcc.sooner.send_replace(());
        }
    }
}
