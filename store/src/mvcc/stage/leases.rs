//! Deciding what becomes of leases.

use super::{Pending, State};
use crate::mvcc::leases::{Grant, LeaseChange, choose};
use crate::{Error, Event, LeaseId, Op, Result, Revision, Txn};
use bytes::Bytes;
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;
use tokio::time::Instant;

/// What a group does to leases.
#[derive(Default)]
pub(super) struct Leasing {
    /// In order.
    changes: Vec<LeaseChange>,
    /// What they leave behind.
    now: HashMap<LeaseId, Option<Grant>>,
    grants: u64,
    /// The keys that its commits put on leases, some of which they may have moved on or removed.
    keys: HashMap<LeaseId, Vec<Bytes>>,
}

// === impl Leasing ===

impl Leasing {
    pub(super) fn absorb(&mut self, event: &Event) {
        if let Event::Put { now, .. } = event
            && let Some(id) = now.lease
        {
            self.keys.entry(id).or_default().push(now.key.clone());
        }
    }

    fn get(&self, state: &State, id: LeaseId) -> Option<Grant> {
        self.now.get(&id).copied().unwrap_or_else(|| state.leases().get(id))
    }

    fn note(&mut self, change: LeaseChange) {
        self.grants += u64::from(change.grant.is_some());
        self.now.insert(change.id, change.grant);
        self.changes.push(change);
    }
}

// === impl Pending ===

impl Pending {
    /// What the group does to leases, in order.
    pub(crate) fn leases(&self) -> &[LeaseChange] {
        &self.leasing.changes
    }

    /// The leases that the operations name must be there.
    pub(super) fn check_leases(&self, state: &State, ops: &[Op]) -> Result<()> {
        for op in ops {
            if let Op::Put { lease: Some(id), .. } = op
                && self.leasing.get(state, *id).is_none()
            {
                return Err(Error::LeaseNotFound { id: *id });
            }
        }
        Ok(())
    }

    /// A lease of this name, or of a name that is chosen, which begins its time at `now`.
    pub(crate) fn grant(
        &mut self,
        state: &State,
        id: Option<LeaseId>,
        ttl: Duration,
        now: Instant,
    ) -> Result<LeaseId> {
        let taken = |id| self.leasing.get(state, id).is_some();
        let id = match id {
            Some(id) if taken(id) => return Err(Error::LeaseExists { id }),
            Some(id) => id,
            None => choose(state.leases().grants() + self.leasing.grants, taken),
        };
        self.leasing.note(LeaseChange::granted(self.revision, id, ttl, now));
        Ok(id)
    }

    /// The end of a lease and of its keys. With `due` only of one whose time was over then: another may have
    /// got its name since.
    pub(crate) fn revoke(
        &mut self,
        state: &State,
        id: LeaseId,
        due: Option<Instant>,
    ) -> Result<Revision> {
        let grant = self.leasing.get(state, id);
        let ends = |grant: &Grant| due.is_none_or(|due| grant.deadline <= due);
        grant.filter(ends).ok_or(Error::LeaseNotFound { id })?;
        let ops = self.keys_of(state, id).into_iter().map(|key| Op::Delete { key }).collect();
        let revision = self.stage(state, Txn { preconditions: Vec::new(), ops })?.revision;
        self.leasing.note(LeaseChange { after: self.revision, id, grant: None });
        Ok(revision)
    }

    /// The keys of a lease, in order.
    fn keys_of(&mut self, state: &State, id: LeaseId) -> BTreeSet<Bytes> {
        self.absorb();
        let fresh = self.leasing.keys.get(&id).into_iter().flatten();
        let mut keys: BTreeSet<Bytes> =
            state.leases().keys(id, None).chain(fresh).cloned().collect();
        keys.retain(|key| self.now(state, key).is_some_and(|kv| kv.lease == Some(id)));
        keys
    }
}
