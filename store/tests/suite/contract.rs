//! Memory and embedded keep the contract, also on random transactions.

use crate::steps::steps;
use proptest::prelude::*;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use windlass_store::testing::{
    self,
    model::{self, Model, Step},
};
use windlass_store::{
    Backend, Durability, Embedded, EmbeddedOptions, Error, KeyRange, Memory, Precondition, Read,
    Txn,
};

/// Files so small that segments are sealed and snapshots taken all the time.
pub(crate) fn small(dir: &Path) -> EmbeddedOptions {
    let options = EmbeddedOptions::new(dir);
    EmbeddedOptions { segment_bytes: 2000, snapshot_after_bytes: 5000, ..options }
}

#[tokio::test]
async fn memory_keeps_the_contract() {
    testing::contract(async || {
        let store = Memory::new();
        tokio::spawn(store.expiry());
        store
    })
    .await;
}

/// Runs the contract with a directory of its own for each case.
async fn embedded_keeps_the_contract_with(durability: Durability) {
    let dir = tempfile::tempdir().unwrap();
    let cases = AtomicUsize::new(0);
    testing::contract(async || {
        let case = dir.path().join(cases.fetch_add(1, Ordering::Relaxed).to_string());
        let store = Embedded::open(EmbeddedOptions { durability, ..small(&case) }).unwrap();
        tokio::spawn(store.expiry());
        store
    })
    .await;
}

#[tokio::test]
async fn embedded_keeps_the_contract() {
    embedded_keeps_the_contract_with(Durability::Fsync).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn embedded_buffered_keeps_the_contract() {
    embedded_keeps_the_contract_with(Durability::Buffered).await;
}

/// Both see what leaves no trace in the range itself.
async fn a_key_that_came_and_went_is_a_change(store: &impl Backend) {
    let range = KeyRange::prefix("a/");
    let since = store.current_revision().await.unwrap();
    store.commit(Txn::new().put("a/1", "x")).await.unwrap();
    store.commit(Txn::new().delete("a/1")).await.unwrap();
    let rests = Precondition::Unchanged(range, since);
    let refused = store.commit(Txn::new().when(rests).put("b", "x")).await;
    assert!(matches!(refused, Err(Error::Precondition { index: 0 })), "{refused:?}");
}

#[tokio::test]
async fn pinned_ranges_see_what_leaves_no_trace() {
    a_key_that_came_and_went_is_a_change(&Memory::new()).await;
    let dir = tempfile::tempdir().unwrap();
    let store = Embedded::open(EmbeddedOptions::new(dir.path())).unwrap();
    a_key_that_came_and_went_is_a_change(&store).await;
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

async fn run_and_compare(store: &impl Backend, steps: &[Step]) -> Model {
    let mut model = Model::default();
    model::run(store, &mut model, steps).await;
    model::compare(store, &model).await;
    model
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn memory_does_what_the_model_does(steps in steps()) {
        block_on(async { run_and_compare(&Memory::new(), &steps).await });
    }

    #[test]
    fn embedded_does_what_the_model_does_also_after_restarts(
        first in steps(),
        second in steps(),
        clean in any::<bool>(),
    ) {
        block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let store = Embedded::open(small(dir.path())).unwrap();
            let mut model = run_and_compare(&store, &first).await;
            if clean {
                store.close().await.unwrap();
            }
            drop(store);
            let store = Embedded::open(small(dir.path())).unwrap();
            let start = store.current_revision().await.unwrap();
            model.restarted();
            model::compare_from(&store, &model, start).await;
            model::run(&store, &mut model, &second).await;
            model::compare_from(&store, &model, start).await;
        });
    }
}
