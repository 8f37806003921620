//! Deciding what transactions do, before anyone can see it.

mod leases;

use super::State;
use super::state::touches;
use crate::{
    Batch, Committed, Error, Event, KeyRange, KeyValue, LeaseId, Op, Precondition, Result,
    Revision, Txn,
};
use bytes::Bytes;
use leases::Leasing;
use std::collections::HashMap;

/// Transactions that were decided, each on top of those before it, but are not published yet.
pub(crate) struct Pending {
    revision: Revision,
    batches: Vec<Batch>,
    /// What the first `absorbed` batches leave behind under the keys they touch.
    changed: HashMap<Bytes, Option<KeyValue>>,
    absorbed: usize,
    leasing: Leasing,
}

// === impl Pending ===

impl Pending {
    pub(crate) fn after(revision: Revision) -> Self {
        let (batches, changed) = (Vec::new(), HashMap::new());
        Self { revision, batches, changed, absorbed: 0, leasing: Leasing::default() }
    }

    /// The commits of the group, in order.
    pub(crate) fn batches(&self) -> &[Batch] {
        &self.batches
    }

    pub(crate) fn stage(&mut self, state: &State, txn: Txn) -> Result<Committed> {
        self.absorb();
        for (index, precondition) in txn.preconditions.iter().enumerate() {
            if !self.holds(state, precondition)? {
                return Err(Error::Precondition { index });
            }
        }
        self.check_leases(state, &txn.ops)?;
        let revision = self.revision + 1;
        let mut events = Vec::with_capacity(txn.ops.len());
        let mut previous = Vec::with_capacity(txn.ops.len());
        for op in txn.ops {
            let before = self.now(state, op.key());
            events.extend(op.event(before.clone(), revision));
            previous.push(before);
        }
        if !events.is_empty() {
            self.revision = revision;
            self.batches.push(Batch { revision, events: events.into() });
        }
        Ok(Committed { revision: self.revision, previous })
    }

    fn holds(&self, state: &State, precondition: &Precondition) -> Result<bool> {
        let now = || self.now(state, precondition.key()?);
        Ok(match precondition {
            Precondition::Exists(_) => now().is_some(),
            Precondition::Absent(_) => now().is_none(),
            Precondition::ModRevision(_, at) => now().is_some_and(|kv| kv.mod_revision == *at),
            Precondition::Value(_, value) => now().is_some_and(|kv| kv.value == *value),
            Precondition::Unchanged(range, since) => self.unchanged(state, range, *since)?,
        })
    }

    fn unchanged(&self, state: &State, range: &KeyRange, since: Revision) -> Result<bool> {
        if since > self.revision {
            return Err(Error::Future { asked: since, current: self.revision });
        }
        let mut fresh = self.batches.iter().filter(|batch| batch.revision > since);
        Ok(!fresh.any(|batch| touches(batch, range)) && !state.changed(range, since)?)
    }

    /// Notes what the latest batches change: only a group of more than one needs to know.
    fn absorb(&mut self) {
        for event in self.batches[self.absorbed..].iter().flat_map(|b| b.events.iter()) {
            let now = match event {
                Event::Put { now, .. } => Some(now.clone()),
                Event::Delete { .. } => None,
            };
            self.changed.insert(event.key().clone(), now);
            self.leasing.absorb(event);
        }
        self.absorbed = self.batches.len();
    }

    fn now(&self, state: &State, key: &[u8]) -> Option<KeyValue> {
        match self.changed.get(key) {
            Some(changed) => changed.clone(),
            None => state.now(key),
        }
    }
}

// === impl Op ===

impl Op {
    /// What the operation does to a key that holds `previous`.
    fn event(self, previous: Option<KeyValue>, revision: Revision) -> Option<Event> {
        match self {
            Self::Delete { .. } => previous.map(|previous| Event::Delete { previous }),
            Self::Put { key, value, lease } => {
                let now = match &previous {
                    Some(before) => before.followed_by(value, lease, revision),
                    None => KeyValue::born(&key, value, lease, revision),
                };
                Some(Event::Put { now, previous })
            }
        }
    }
}

// === impl KeyValue ===

impl KeyValue {
    /// A new key. Its bytes are copied: they live long, and must not keep a larger buffer alive.
    pub(crate) fn born(
        key: &[u8],
        value: Bytes,
        lease: Option<LeaseId>,
        revision: Revision,
    ) -> Self {
        let key = Bytes::copy_from_slice(key);
        Self { key, value, create_revision: revision, mod_revision: revision, version: 1, lease }
    }

    pub(crate) fn followed_by(
        &self,
        value: Bytes,
        lease: Option<LeaseId>,
        revision: Revision,
    ) -> Self {
        Self {
            key: self.key.clone(),
            value,
            create_revision: self.create_revision,
            mod_revision: revision,
            version: self.version + 1,
            lease,
        }
    }
}
