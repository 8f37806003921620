//! Random steps for a store and its model.

use bytes::Bytes;
use proptest::prelude::*;
use windlass_store::testing::model::Step;
use windlass_store::{KeyRange, LeaseId, Op, Precondition, Txn};

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

/// A run of random transactions, leases and compactions.
pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    proptest::collection::vec(step(), 1..60)
}
