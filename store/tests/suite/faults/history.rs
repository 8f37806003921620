//! What was asked of a store, and what was answered.

use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use windlass_store::{
    Batch, Committed, Embedded, Error, Event, KeyValue, Lease, LeaseId, LeaseStatus, Op, Result,
    Revision,
};

/// What a commit did: each key with what it holds since.
pub(super) type Changes = Vec<(Bytes, Option<(Bytes, Option<LeaseId>)>)>;

/// What was asked for, and what was answered.
#[derive(Default)]
pub(super) struct History {
    /// What was acknowledged.
    pub(super) acknowledged: BTreeMap<Revision, Changes>,
    /// What was asked for and not acknowledged: it may have happened.
    pub(super) asked: Vec<Asked>,
    /// The highest compaction that was acknowledged.
    pub(super) compacted: Revision,
    /// The leases there are.
    pub(super) leases: BTreeSet<LeaseId>,
    /// Those that were to come or to end, which was not acknowledged.
    pub(super) unsure: BTreeSet<LeaseId>,
    pub(super) counter: usize,
}

/// What may have become a commit.
#[derive(Clone)]
pub(super) enum Asked {
    Txn(Vec<Op>),
    /// The end of a lease removes its keys.
    Revoke(LeaseId),
}

pub(super) fn changes_of(batch: &Batch) -> Changes {
    let change = |event: &Event| match event {
        Event::Put { now, .. } => (now.key.clone(), Some((now.value.clone(), now.lease))),
        Event::Delete { previous } => (previous.key.clone(), None),
    };
    batch.events.iter().map(change).collect()
}

/// The keys after these commits, up to a revision.
pub(super) fn replay(commits: &BTreeMap<Revision, Changes>, up_to: Revision) -> Vec<KeyValue> {
    let mut state: BTreeMap<Bytes, KeyValue> = BTreeMap::new();
    for (revision, changes) in commits.range(..=up_to) {
        for (key, value) in changes {
            let before = state.remove(key);
            let Some((value, lease)) = value.clone() else { continue };
            let kv = KeyValue {
                key: key.clone(),
                value,
                create_revision: before.as_ref().map_or(*revision, |kv| kv.create_revision),
                mod_revision: *revision,
                version: before.as_ref().map_or(1, |kv| kv.version + 1),
                lease,
            };
            state.insert(key.clone(), kv);
        }
    }
    state.into_values().collect()
}

// === impl Asked ===

impl Asked {
    /// What it does to this state.
    pub(super) fn effect(&self, state: &[KeyValue]) -> Changes {
        let is_there = |key: &Bytes| state.iter().any(|kv| kv.key == *key);
        match self {
            Self::Txn(ops) => {
                let effects =
                    ops.iter().filter(|op| matches!(op, Op::Put { .. }) || is_there(op.key()));
                effects.map(change_of).collect()
            }
            Self::Revoke(id) => {
                let keys = state.iter().filter(|kv| kv.lease == Some(*id));
                keys.map(|kv| (kv.key.clone(), None)).collect()
            }
        }
    }
}

// === impl History ===

impl History {
    /// The revision of the last commit that was acknowledged.
    pub(super) fn last(&self) -> Revision {
        self.acknowledged.last_key_value().map_or(1, |(revision, _)| *revision)
    }

    /// Notes the answer to a transaction.
    pub(super) fn note(&mut self, ops: Vec<Op>, answer: Result<Committed>) {
        match answer {
            Ok(Committed { revision, previous }) => {
                let named: Vec<LeaseId> = ops.iter().filter_map(lease_of).collect();
                assert!(named.iter().all(|id| self.leases.contains(id)), "{named:?}");
                let effects = ops.iter().zip(&previous).filter_map(|(op, previous)| match op {
                    Op::Put { .. } => Some(change_of(op)),
                    Op::Delete { .. } => previous.as_ref().map(|_| change_of(op)),
                });
                self.committed(revision, effects.collect());
            }
            Err(Error::Io { .. }) => self.asked.push(Asked::Txn(ops)),
            Err(Error::Precondition { .. }) => {}
            Err(Error::LeaseNotFound { id }) => {
                assert!(!self.leases.contains(&id), "{id} is there")
            }
            Err(error) => panic!("{error:?}"),
        }
    }

    /// Notes the answer to the grant of a lease.
    pub(super) fn note_grant(&mut self, id: LeaseId, answer: Result<LeaseStatus>) {
        match answer {
            Ok(_) => assert!(self.leases.insert(id), "{id} was there"),
            Err(Error::LeaseExists { .. }) => assert!(self.leases.contains(&id), "{id}"),
            Err(Error::Io { .. }) => drop(self.unsure.insert(id)),
            Err(error) => panic!("{error:?}"),
        }
    }

    /// Notes the answer to the end of a lease, after those to the transactions beside it.
    pub(super) fn note_revoke(&mut self, id: LeaseId, answer: Result<Revision>) {
        match answer {
            Ok(revision) => {
                assert!(self.leases.remove(&id), "{id} was not there");
                let of_another = revision <= 1 || self.acknowledged.contains_key(&revision);
                // Without keys the answer is the revision at which that was found.
                let before = if of_another { revision } else { revision - 1 };
                let gone = Asked::Revoke(id).effect(&replay(&self.acknowledged, before));
                assert_eq!(gone.is_empty(), of_another, "lease {id} ended at {revision}: {gone:?}");
                self.committed(revision, gone);
            }
            Err(Error::LeaseNotFound { .. }) => assert!(!self.leases.contains(&id), "{id}"),
            Err(Error::Io { .. }) => {
                self.unsure.insert(id);
                self.asked.push(Asked::Revoke(id));
            }
            Err(error) => panic!("{error:?}"),
        }
    }

    fn committed(&mut self, revision: Revision, changes: Changes) {
        if !changes.is_empty() {
            let before = self.acknowledged.insert(revision, changes);
            assert!(before.is_none(), "revision {revision} was given twice");
        }
    }

    /// What a store was found to hold is what is known from now on.
    pub(super) async fn adopt(&mut self, store: &Embedded, commits: BTreeMap<Revision, Changes>) {
        self.acknowledged = commits;
        self.asked.clear();
        self.leases = store.leases().await.unwrap().into_iter().collect();
        self.unsure.clear();
    }
}

fn lease_of(op: &Op) -> Option<LeaseId> {
    match op {
        Op::Put { lease, .. } => *lease,
        Op::Delete { .. } => None,
    }
}

fn change_of(op: &Op) -> (Bytes, Option<(Bytes, Option<LeaseId>)>) {
    match op {
        Op::Put { key, value, lease } => (key.clone(), Some((value.clone(), *lease))),
        Op::Delete { key } => (key.clone(), None),
    }
}
