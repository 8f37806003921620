//! A store so simple that it is right by inspection, and a way to run the same steps on both.

use super::helpers::{next, now, watch};
use crate::{
    Backend, Batch, Error, Event, KeyRange, KeyValue, LeaseId, Op, Precondition, Revision, Txn,
};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// So long that no lease of a run ends by itself.
const TTL: Duration = Duration::from_secs(100_000);

/// One step of a run.
#[derive(Clone, Debug)]
pub enum Step {
    /// Commits a transaction. Operations on a key that one before names are left out.
    Commit(Txn),
    /// Makes the last precondition on a revision ask for this key's true revision, and commits.
    CommitIfUnchanged(Bytes, Txn),
    /// Commits if the range is as it was so many revisions before the current one.
    CommitIfRests(KeyRange, u64, Txn),
    /// Compacts up to so many revisions before the current one.
    Compact(u64),
    /// Makes a lease of this name, which may be taken.
    Grant(LeaseId),
    /// Ends a lease, which may not be there.
    Revoke(LeaseId),
}

/// Why a transaction does not happen.
#[derive(Debug, PartialEq, Eq)]
enum Refused {
    Precondition(usize),
    Compacted(Revision),
    NoLease(LeaseId),
}

/// The state at each revision, whole.
#[derive(Debug)]
pub struct Model {
    states: BTreeMap<Revision, BTreeMap<Bytes, KeyValue>>,
    batches: Vec<Batch>,
    compacted: Revision,
    leases: BTreeSet<LeaseId>,
    /// What came up to here may be forgotten, or not.
    restarted: Revision,
}

// === impl Model ===

impl Default for Model {
    fn default() -> Self {
        Self {
            states: BTreeMap::from([(1, BTreeMap::new())]),
            batches: Vec::new(),
            compacted: 0,
            leases: BTreeSet::new(),
            restarted: 0,
        }
    }
}

impl Model {
    /// The store was opened again: it may have forgotten what changed before.
    pub fn restarted(&mut self) {
        self.restarted = self.current().0;
    }

    /// All keys at a revision, in order.
    ///
    /// # Panics
    /// For a revision that there never was.
    #[must_use]
    pub fn keys_at(&self, at: Revision) -> Vec<KeyValue> {
        self.range(&KeyRange::all(), at)
    }

    /// All leases now, in order, with their keys.
    #[must_use]
    pub fn leases(&self) -> Vec<(LeaseId, Vec<Bytes>)> {
        self.leases.iter().map(|id| (*id, self.keys_of(*id))).collect()
    }

    /// Whether a restart may be why the store does not know if the transaction may happen.
    fn may_be_forgotten(&self, txn: &Txn) -> bool {
        let since = |p: &Precondition| match p {
            Precondition::Unchanged(_, since) => *since < self.restarted,
            _ => false,
        };
        txn.preconditions.iter().any(since)
    }

    fn current(&self) -> (Revision, &BTreeMap<Bytes, KeyValue>) {
        let (revision, state) = self.states.last_key_value().expect("it starts with one");
        (*revision, state)
    }

    fn holds(&self, precondition: &Precondition) -> bool {
        let kv = precondition.key().and_then(|key| self.current().1.get(key));
        match precondition {
            Precondition::Exists(_) => kv.is_some(),
            Precondition::Absent(_) => kv.is_none(),
            Precondition::ModRevision(_, at) => kv.is_some_and(|kv| kv.mod_revision == *at),
            Precondition::Value(_, value) => kv.is_some_and(|kv| kv.value == *value),
            Precondition::Unchanged(range, since) => self.unchanged(range, *since),
        }
    }

    fn unchanged(&self, range: &KeyRange, since: Revision) -> bool {
        let later = self.batches.iter().filter(|batch| batch.revision > since);
        !later.flat_map(|batch| batch.events.iter()).any(|event| range.contains(event.key()))
    }

    /// Whether all that changed in the range came and went again: a store may see that, or not.
    fn is_as_it_was(&self, range: &KeyRange, since: Revision) -> bool {
        let now = self.range(range, self.current().0);
        !self.unchanged(range, since) && self.range(range, since) == now
    }

    fn check(&self, txn: &Txn) -> Result<(), Refused> {
        for (index, precondition) in txn.preconditions.iter().enumerate() {
            if let Precondition::Unchanged(_, since) = precondition
                && *since < self.compacted
            {
                return Err(Refused::Compacted(self.compacted));
            }
            if !self.holds(precondition) {
                return Err(Refused::Precondition(index));
            }
        }
        let named = txn.ops.iter().filter_map(|op| match op {
            Op::Put { lease, .. } => *lease,
            Op::Delete { .. } => None,
        });
        let mut missing = named.into_iter().filter(|id| !self.leases.contains(id));
        missing.next().map_or(Ok(()), |id| Err(Refused::NoLease(id)))
    }

    /// The revision and what was before.
    fn commit(&mut self, txn: &Txn) -> Result<(Revision, Vec<Option<KeyValue>>), Refused> {
        self.check(txn)?;
        let (last, state) = self.current();
        let mut state = state.clone();
        let (mut events, mut previous) = (Vec::new(), Vec::new());
        for op in &txn.ops {
            let before = state.get(op.key()).cloned();
            events.extend(change(&mut state, op, before.clone(), last + 1));
            previous.push(before);
        }
        if events.is_empty() {
            return Ok((last, previous));
        }
        self.states.insert(last + 1, state);
        self.batches.push(Batch { revision: last + 1, events: events.into() });
        Ok((last + 1, previous))
    }

    fn range(&self, range: &KeyRange, at: Revision) -> Vec<KeyValue> {
        let items = self.states[&at].values();
        items.filter(|kv| range.contains(&kv.key)).cloned().collect()
    }

    fn keys_of(&self, id: LeaseId) -> Vec<Bytes> {
        let keys = self.current().1.values().filter(|kv| kv.lease == Some(id));
        keys.map(|kv| kv.key.clone()).collect()
    }

    /// The revision at which the lease and its keys are gone.
    fn revoke(&mut self, id: LeaseId) -> Option<Revision> {
        self.leases.contains(&id).then_some(())?;
        let ops = self.keys_of(id).into_iter().map(|key| Op::Delete { key }).collect();
        let gone = self.commit(&Txn { preconditions: Vec::new(), ops });
        self.leases.remove(&id);
        Some(gone.expect("it has no preconditions").0)
    }
}

fn change(
    state: &mut BTreeMap<Bytes, KeyValue>,
    op: &Op,
    previous: Option<KeyValue>,
    revision: Revision,
) -> Option<Event> {
    match op {
        Op::Delete { key } => state.remove(key).map(|previous| Event::Delete { previous }),
        Op::Put { key, value, lease } => {
            let now = KeyValue {
                key: key.clone(),
                value: value.clone(),
                create_revision: previous.as_ref().map_or(revision, |kv| kv.create_revision),
                mod_revision: revision,
                version: previous.as_ref().map_or(1, |kv| kv.version + 1),
                lease: *lease,
            };
            state.insert(key.clone(), now.clone());
            Some(Event::Put { now, previous })
        }
    }
}

/// Runs steps on the store and on the model, and compares every answer.
///
/// # Panics
/// When they differ.
pub async fn run(store: &impl Backend, model: &mut Model, steps: &[Step]) {
    for step in steps {
        match step {
            Step::Compact(back) => compact(store, model, *back).await,
            Step::Commit(txn) => commit(store, model, txn.clone()).await,
            Step::CommitIfUnchanged(key, txn) => {
                let at = model.current().1.get(key).map_or(0, |kv| kv.mod_revision);
                let unchanged = Precondition::ModRevision(key.clone(), at);
                commit(store, model, txn.clone().when(unchanged)).await;
            }
            Step::CommitIfRests(range, back, txn) => {
                let since = model.current().0.saturating_sub(*back).max(1);
                let rests = Precondition::Unchanged(range.clone(), since);
                if !model.is_as_it_was(range, since) {
                    commit(store, model, txn.clone().when(rests)).await;
                }
            }
            Step::Grant(id) => match store.grant(TTL, Some(*id)).await {
                Ok(_) => assert!(model.leases.insert(*id), "{id} was there"),
                Err(Error::LeaseExists { .. }) => assert!(model.leases.contains(id), "no {id}"),
                Err(error) => panic!("{error}"),
            },
            Step::Revoke(id) => match store.revoke(*id).await {
                Ok(revision) => assert_eq!(Some(revision), model.revoke(*id)),
                Err(Error::LeaseNotFound { .. }) => assert_eq!(None, model.revoke(*id)),
                Err(error) => panic!("{error}"),
            },
        }
    }
}

async fn commit(store: &impl Backend, model: &mut Model, txn: Txn) {
    let mut once = Txn { preconditions: txn.preconditions, ops: Vec::new() };
    for op in txn.ops {
        if once.ops.iter().all(|o| o.key() != op.key()) {
            once.ops.push(op);
        }
    }
    let answer = store.commit(once.clone()).await;
    if matches!(answer, Err(Error::Compacted { .. })) && model.may_be_forgotten(&once) {
        return;
    }
    match (model.commit(&once), answer) {
        (Ok((revision, previous)), Ok(committed)) => {
            assert_eq!((revision, previous), (committed.revision, committed.previous));
        }
        (Err(refused), Err(error)) => assert_eq!(Some(refused), reason(&error), "{error}"),
        (model, store) => panic!("the model says {model:?}, the store {store:?}"),
    }
}

fn reason(error: &Error) -> Option<Refused> {
    match error {
        Error::Precondition { index } => Some(Refused::Precondition(*index)),
        Error::Compacted { compacted } => Some(Refused::Compacted(*compacted)),
        Error::LeaseNotFound { id } => Some(Refused::NoLease(*id)),
        _ => None,
    }
}

async fn compact(store: &impl Backend, model: &mut Model, back: u64) {
    let up_to = model.current().0.saturating_sub(back + 1);
    store.compact(up_to).await.expect("the revision is there");
    model.compacted = model.compacted.max(up_to);
}

/// Compares all that can be read at all revisions that can be read, and watches from them.
///
/// # Panics
/// When store and model differ.
pub async fn compare(store: &impl Backend, model: &Model) {
    compare_from(store, model, model.compacted + 1).await;
}

/// The same, from a revision on: after a restart a store may have forgotten more. What stands
/// now is compared in any case.
///
/// # Panics
/// When store and model differ.
pub async fn compare_from(store: &impl Backend, model: &Model, oldest: Revision) {
    let (last, _) = model.current();
    let oldest = oldest.clamp(model.compacted + 1, last);
    assert_eq!(now(store).await, last);
    for at in oldest..=last {
        for prefix in ["", "a", "b/"] {
            compare_range(store, model, &KeyRange::prefix(prefix), at).await;
        }
    }
    for prefix in ["", "a", "b/"] {
        compare_watch(store, model, prefix, oldest).await;
    }
    compare_leases(store, model).await;
}

async fn compare_leases(store: &impl Backend, model: &Model) {
    let found = store.leases().await.expect("the store is open");
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), model.leases);
    for (id, expected) in model.leases() {
        let (status, keys) = store.time_to_live(id).await.expect("it was listed");
        assert_eq!((status.granted, keys), (TTL, expected), "{id}");
    }
}

async fn compare_range(store: &impl Backend, model: &Model, range: &KeyRange, at: Revision) {
    let expected = model.range(range, at);
    for limit in [0, 1, 3] {
        let found = store.range(range, limit, Some(at)).await.expect("it is readable");
        let cut = if limit == 0 { expected.len() } else { limit.min(expected.len()) };
        assert_eq!(found.items, expected[..cut], "{range:?} at {at}");
        assert_eq!(found.remaining, (expected.len() - cut) as u64, "{range:?} at {at}");
    }
    for kv in &expected {
        let found = store.get(&kv.key, Some(at)).await.expect("it is readable");
        assert_eq!(found.as_ref(), Some(kv), "at {at}");
    }
}

async fn compare_watch(store: &impl Backend, model: &Model, prefix: &'static str, after: Revision) {
    let range = KeyRange::prefix(prefix);
    let mut stream = watch(store, prefix, after).await;
    store.request_progress().await.expect("the store is open");
    for batch in model.batches.iter().filter(|batch| batch.revision > after) {
        let wanted = batch.events.iter().filter(|event| range.contains(event.key()));
        let wanted: Vec<&Event> = wanted.collect();
        if !wanted.is_empty() {
            let found = next(&mut stream).await;
            assert_eq!(found.revision, batch.revision);
            assert_eq!(found.events.iter().collect::<Vec<_>>(), wanted);
        }
    }
    let end = next(&mut stream).await;
    assert!(end.events.is_empty() && end.revision == model.current().0, "{end:?}");
}
