//! Leases, their keys and their ends. What an end costs grows with what ends, not with what there is.

use crate::{LeaseId, LeaseStatus, Revision};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::time::Duration;
use tokio::time::Instant;

/// The first name that a store chooses: far from the small ones that people like to give.
const FIRST: u64 = 1 << 62;

/// All leases.
#[derive(Default)]
pub(crate) struct Leases {
    held: BTreeMap<LeaseId, Held>,
    ends: BTreeSet<(Instant, LeaseId)>,
    /// At least as many as were ever granted.
    grants: u64,
}

/// What a lease was given.
#[derive(Clone, Copy)]
pub(crate) struct Grant {
    pub(crate) ttl: Duration,
    pub(crate) deadline: Instant,
}

/// A lease that comes, or goes when there is no grant.
pub(crate) struct LeaseChange {
    /// The revision of the last commit before it.
    pub(crate) after: Revision,
    pub(crate) id: LeaseId,
    pub(crate) grant: Option<Grant>,
}

struct Held {
    grant: Grant,
    keys: BTreeSet<Bytes>,
}

// === impl Leases ===

impl Leases {
    /// Leases that begin their time at `now`.
    pub(crate) fn restored(
        leases: impl IntoIterator<Item = (LeaseId, Duration)>,
        grants: u64,
        now: Instant,
    ) -> Self {
        let mut restored = Self::default();
        for (id, ttl) in leases {
            restored.grant(id, Grant { ttl, deadline: now + ttl });
        }
        restored.grants = restored.grants.max(grants);
        restored
    }

    pub(super) fn grants(&self) -> u64 {
        self.grants
    }

    pub(crate) fn get(&self, id: LeaseId) -> Option<Grant> {
        self.held.get(&id).map(|held| held.grant)
    }

    /// All leases with their whole times.
    pub(super) fn all(&self) -> impl Iterator<Item = (LeaseId, Duration)> {
        self.held.iter().map(|(id, held)| (*id, held.grant.ttl))
    }

    /// The keys of a lease, in order, all or those after a key.
    pub(crate) fn keys(
        &self,
        id: LeaseId,
        after: Option<&Bytes>,
    ) -> impl Iterator<Item = &Bytes> + use<'_> {
        let range =
            (after.map_or(Bound::Unbounded, |key| Bound::Excluded(key.clone())), Bound::Unbounded);
        self.held.get(&id).into_iter().flat_map(move |held| held.keys.range(range.clone()))
    }

    pub(super) fn status(&self, id: LeaseId, now: Instant) -> Option<LeaseStatus> {
        let Grant { ttl, deadline } = self.get(id)?;
        let remaining = deadline.saturating_duration_since(now);
        Some(LeaseStatus { id, granted: ttl, remaining })
    }

    /// Makes a lease; one that is there gets another end.
    pub(super) fn grant(&mut self, id: LeaseId, grant: Grant) {
        self.grants += 1;
        match self.held.get_mut(&id) {
            Some(held) => {
                self.ends.remove(&(held.grant.deadline, id));
                held.grant = grant;
            }
            None => {
                self.held.insert(id, Held { grant, keys: BTreeSet::new() });
            }
        }
        self.ends.insert((grant.deadline, id));
    }

    /// Forgets a lease, whose keys must be gone.
    pub(super) fn revoke(&mut self, id: LeaseId) {
        if let Some(held) = self.held.remove(&id) {
            self.ends.remove(&(held.grant.deadline, id));
        }
    }

    /// Starts a lease's time again. One whose time is over stays as it is: its end is under way.
    pub(super) fn keep_alive(&mut self, id: LeaseId, now: Instant) -> Option<Duration> {
        let held = self.held.get_mut(&id).filter(|held| held.grant.deadline > now)?;
        self.ends.remove(&(held.grant.deadline, id));
        held.grant.deadline = now + held.grant.ttl;
        self.ends.insert((held.grant.deadline, id));
        Some(held.grant.ttl)
    }

    /// Starts the time of all leases again.
    pub(crate) fn start_again(&mut self, now: Instant) {
        self.ends.clear();
        for (id, held) in &mut self.held {
            held.grant.deadline = now + held.grant.ttl;
            self.ends.insert((held.grant.deadline, *id));
        }
    }

    /// A key goes from one lease to another.
    pub(super) fn moved(&mut self, key: &Bytes, from: Option<LeaseId>, to: Option<LeaseId>) {
        if from == to {
            return;
        }
        if let Some(held) = from.and_then(|id| self.held.get_mut(&id)) {
            held.keys.remove(key);
        }
        if let Some(held) = to.and_then(|id| self.held.get_mut(&id)) {
            held.keys.insert(key.clone());
        }
    }

    /// When the next lease ends.
    pub(super) fn next_end(&self) -> Option<Instant> {
        self.ends.first().map(|(at, _)| *at)
    }

    /// Some of the leases whose time is over.
    pub(super) fn due(&self, now: Instant, most: usize) -> Vec<LeaseId> {
        let due = self.ends.iter().take_while(|(at, _)| *at <= now).take(most);
        due.map(|(_, id)| *id).collect()
    }
}

// === impl LeaseChange ===

impl LeaseChange {
    /// A lease that begins its time at `now`.
    pub(crate) fn granted(after: Revision, id: LeaseId, ttl: Duration, now: Instant) -> Self {
        Self { after, id, grant: Some(Grant { ttl, deadline: now + ttl }) }
    }
}

/// A name that no lease has or had. Names are counted, not drawn by lot, so that a run can be repeated;
/// the count outlives restarts, for one who holds the name of a lease that ended must not meet another's.
pub(super) fn choose(grants: u64, taken: impl Fn(LeaseId) -> bool) -> LeaseId {
    let names = (0..FIRST).map(|i| FIRST | (grants.wrapping_add(i) & (FIRST - 1)));
    let mut free = names.filter_map(LeaseId::new).filter(|id| !taken(*id));
    free.next().expect("so many leases fit in no memory")
}
