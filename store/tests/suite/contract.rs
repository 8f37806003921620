//! Both backends keep the contract, also on random transactions.

use bytes::Bytes;
use proptest::prelude::*;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use windlass_store::testing::{
    self,
    model::{self, Model, Step},
};
use windlass_store::{
    Backend, Durability, Embedded, EmbeddedOptions, KeyRange, LeaseId, Memory, Op, Precondition,
    Read, Txn,
};

/// Files so small that segments are sealed and snapshots taken all the time.
fn small(dir: &Path) -> EmbeddedOptions {
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

fn key() -> impl Strategy<Value = Bytes> {
    "(a|b/|c)[0-3]?".prop_map(Bytes::from)
}

fn value() -> impl Strategy<Value = Bytes> {
    proptest::collection::vec(any::<u8>(), 0..40).prop_map(Bytes::from)
}

fn lease() -> impl Strategy<Value = LeaseId> {
    (1u64..4).prop_map(|id| LeaseId::new(id).unwrap())
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => (key(), value()).prop_map(|(key, value)| Op::Put { key, value, lease: None }),
        1 => (key(), value(), lease())
            .prop_map(|(key, value, lease)| Op::Put { key, value, lease: Some(lease) }),
        2 => key().prop_map(|key| Op::Delete { key }),
    ]
}

fn precondition() -> impl Strategy<Value = Precondition> {
    prop_oneof![
        key().prop_map(Precondition::Exists),
        key().prop_map(Precondition::Absent),
        (key(), 1u64..20).prop_map(|(key, at)| Precondition::ModRevision(key, at)),
        (key(), value()).prop_map(|(key, value)| Precondition::Value(key, value)),
    ]
}

fn txn() -> impl Strategy<Value = Txn> {
    let unconditional = proptest::collection::vec(op(), 0..5);
    let preconditions = prop_oneof![
        3 => Just(Vec::new()),
        1 => proptest::collection::vec(precondition(), 1..3),
    ];
    (preconditions, unconditional).prop_map(|(preconditions, ops)| Txn { preconditions, ops })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => txn().prop_map(Step::Commit),
        3 => (key(), txn()).prop_map(|(key, txn)| Step::CommitIfUnchanged(key, txn)),
        2 => (key(), 0u64..6, txn())
            .prop_map(|(key, back, txn)| Step::CommitIfRests(KeyRange::prefix(key), back, txn)),
        1 => (0u64..6).prop_map(Step::Compact),
        3 => lease().prop_map(Step::Grant),
        1 => lease().prop_map(Step::Revoke),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    proptest::collection::vec(step(), 1..60)
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
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
