//! What is written while the disk fails, and what was said about it.

use super::disk::Disk;
use super::history::{History, changes_of};
use super::tiny;
use super::{copies, leases};
use futures::StreamExt;
use futures::future::join_all;
use rand::Rng;
use rand::rngs::SmallRng;
use std::path::Path;
use std::sync::Arc;
use windlass_store::{
    Commit, Compact, Durability, Embedded, EmbeddedOptions, Error, KeyRange, LeaseId, Precondition,
    Read, Result, Txn, Watch,
};

/// Writes to one store.
pub(super) struct Workload<'a> {
    pub(super) dir: &'a Path,
    pub(super) disk: Arc<Disk>,
    pub(super) durability: Durability,
    pub(super) rng: SmallRng,
    pub(super) history: History,
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

    /// A few commits at the same time, sometimes with a lease that comes or ends, or a copy of the store beside
    /// them; sometimes a compaction.
    async fn round(&mut self, store: &Embedded) {
        let count = self.rng.random_range(1..=3);
        let change = leases::change(&mut self.rng, &self.history);
        let txns: Vec<Txn> = (0..count).map(|_| self.txn(change.map(|(id, _)| id))).collect();
        let copied = self.rng.random_bool(0.03);
        let broken = self.disk.log_sync_failed();
        let last = self.history.last();
        let commits = join_all(txns.iter().map(|txn| store.commit(txn.clone())));
        let (results, changed, copy) =
            tokio::join!(commits, leases::apply(store, change), copies::take(store, copied));
        for (txn, result) in txns.into_iter().zip(results) {
            self.history.note(txn.ops, result);
        }
        leases::note(&mut self.history, change, changed);
        if let Some(copy) = copy {
            copy.check(&self.history).await;
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

    /// Without the lease that comes or ends at the same time.
    fn txn(&mut self, not: Option<LeaseId>) -> Txn {
        let first: usize = self.rng.random_range(0..12);
        let count = self.rng.random_range(1..=3);
        let keys = (first..first + count).map(|key| format!("key-{key}"));
        let txn = keys.fold(Txn::new(), |txn, key| match self.rng.random_bool(0.7) {
            true => match leases::one(&mut self.rng).filter(|id| not != Some(*id)) {
                Some(id) => txn.put_leased(key, self.value(), id),
                None => txn.put(key, self.value()),
            },
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
