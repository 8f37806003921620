//! What is written while the disk fails, and what was said about it.

use super::disk::Disk;
use super::tiny;
use bytes::Bytes;
use futures::StreamExt;
use futures::future::join_all;
use rand::Rng;
use rand::rngs::SmallRng;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use windlass_store::{
    Batch, Commit, Committed, Compact, Durability, Embedded, EmbeddedOptions, Error, Event,
    KeyRange, Op, Precondition, Read, Result, Revision, Txn, Watch,
};

/// What a commit did: each key with what it holds since.
pub(super) type Changes = Vec<(Bytes, Option<Bytes>)>;

/// What was asked for, and what was answered.
#[derive(Default)]
pub(super) struct History {
    /// What was acknowledged.
    pub(super) acknowledged: BTreeMap<Revision, Changes>,
    /// What was asked for and not acknowledged: it may have happened.
    pub(super) asked: Vec<Vec<Op>>,
    /// The highest compaction that was acknowledged.
    pub(super) compacted: Revision,
    counter: usize,
}

/// Writes to one store.
pub(super) struct Workload<'a> {
    pub(super) dir: &'a Path,
    pub(super) disk: Arc<Disk>,
    pub(super) durability: Durability,
    pub(super) rng: SmallRng,
    pub(super) history: History,
}

// === impl History ===

impl History {
    /// The revision of the last commit that was acknowledged.
    pub(super) fn last(&self) -> Revision {
        self.acknowledged.last_key_value().map_or(1, |(revision, _)| *revision)
    }

    fn note(&mut self, ops: Vec<Op>, result: Result<Committed>) {
        match result {
            Ok(Committed { revision, previous }) => {
                let effects = ops
                    .iter()
                    .zip(&previous)
                    .filter(|(op, previous)| matches!(op, Op::Put { .. }) || previous.is_some());
                let changes: Changes = effects.map(|(op, _)| change_of(op)).collect();
                if !changes.is_empty() {
                    let before = self.acknowledged.insert(revision, changes);
                    assert!(before.is_none(), "revision {revision} was given twice");
                }
            }
            Err(Error::Io { .. }) => self.asked.push(ops),
            Err(Error::Precondition { .. }) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
}

pub(super) fn change_of(op: &Op) -> (Bytes, Option<Bytes>) {
    match op {
        Op::Put { key, value, .. } => (key.clone(), Some(value.clone())),
        Op::Delete { key } => (key.clone(), None),
    }
}

pub(super) fn changes_of(batch: &Batch) -> Changes {
    let change = |event: &Event| match event {
        Event::Put { now, .. } => (now.key.clone(), Some(now.value.clone())),
        Event::Delete { previous } => (previous.key.clone(), None),
    };
    batch.events.iter().map(change).collect()
}

// === impl Workload ===

impl Workload<'_> {
    fn options(&self) -> EmbeddedOptions {
        EmbeddedOptions { durability: self.durability, ..tiny(self.dir) }
    }

    pub(super) fn open(&self) -> Result<Embedded> {
        self.disk.reopened();
        Embedded::open_on(self.options(), self.disk.clone())
    }

    /// Several stores after one another, each closed cleanly. Ends early when one does not open or close.
    pub(super) async fn run(&mut self) -> Result<()> {
        for _ in 0..3 {
            let store = self.open()?;
            self.write(&store, 12).await;
            store.close().await?;
        }
        Ok(())
    }

    /// Writes, and makes sure that watchers see what was acknowledged and nothing else.
    pub(super) async fn write(&mut self, store: &Embedded, rounds: usize) {
        let start = store.current_revision().await.unwrap();
        let mut watch = store.watch(KeyRange::all(), start).await.unwrap();
        for _ in 0..rounds {
            self.round(store).await;
        }
        store.request_progress().await.unwrap();
        for (revision, changes) in self.history.acknowledged.range(start + 1..) {
            let batch = watch.next().await.unwrap().unwrap();
            assert_eq!((batch.revision, changes_of(&batch)), (*revision, changes.clone()));
        }
        let end = watch.next().await.unwrap().unwrap();
        assert!(end.events.is_empty(), "{end:?}");
    }

    /// A few commits at the same time, sometimes a compaction.
    async fn round(&mut self, store: &Embedded) {
        let count = self.rng.random_range(1..=3);
        let txns: Vec<Txn> = (0..count).map(|_| self.txn()).collect();
        let broken = self.disk.log_sync_failed();
        let last = self.history.last();
        let results = join_all(txns.iter().map(|txn| store.commit(txn.clone()))).await;
        for (txn, result) in txns.into_iter().zip(results) {
            self.history.note(txn.ops, result);
        }
        assert!(!broken || self.history.last() == last, "it writes after a sync that failed");
        if self.rng.random_bool(0.2) {
            let up_to = self.history.last() - self.rng.random_range(0..4).min(self.history.last());
            match store.compact(up_to).await {
                // What stands now can always be read.
                Ok(()) => {
                    let compacted = up_to.min(self.history.last() - 1);
                    self.history.compacted = self.history.compacted.max(compacted);
                }
                Err(Error::Io { .. }) => {}
                Err(error) => panic!("{error:?}"),
            }
        }
    }

    fn txn(&mut self) -> Txn {
        let first: usize = self.rng.random_range(0..12);
        let count = self.rng.random_range(1..=3);
        let keys = (first..first + count).map(|key| format!("key-{key}"));
        let txn = keys.fold(Txn::new(), |txn, key| match self.rng.random_bool(0.7) {
            true => txn.put(key, self.value()),
            false => txn.delete(key),
        });
        match self.rng.random_bool(0.2) {
            true => txn.when(Precondition::Exists("key-0".into())),
            false => txn,
        }
    }

    /// No other has it.
    fn value(&mut self) -> String {
        self.history.counter += 1;
        let len = self.rng.random_range(0..300);
        format!("{} {}", self.history.counter, "v".repeat(len))
    }
}
