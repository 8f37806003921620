//! Comparisons.

use crate::server::convert;
use crate::server::proto::rpc::Compare;
use crate::server::proto::rpc::compare::{CompareResult, CompareTarget, TargetUnion};
use crate::{KeyValue, Precondition};
use std::cmp::Ordering;

/// Whether a comparison holds for the keys it speaks of. Of no key at all it holds if it does
/// of one with all zeros; one of values then never holds.
pub(super) fn holds(compare: &Compare, items: &[KeyValue]) -> bool {
    match items {
        [] => match compare.target() {
            CompareTarget::Value => false,
            _ => result(compare, 0.cmp(&given(compare))),
        },
        items => items.iter().all(|kv| result(compare, order(compare, kv))),
    }
}

/// The precondition that says the same, if there is one.
pub(super) fn precondition(compare: &Compare) -> Option<Precondition> {
    if !compare.range_end.is_empty() {
        return None;
    }
    let key = compare.key.clone();
    let given = given(compare);
    match (compare.target(), compare.result()) {
        (CompareTarget::Value, CompareResult::Equal) => match &compare.target_union {
            Some(TargetUnion::Value(value)) => Some(Precondition::Value(key, value.clone())),
            _ => Some(Precondition::Value(key, bytes::Bytes::new())),
        },
        (CompareTarget::Value | CompareTarget::Lease, _) => None,
        (_, CompareResult::Equal) if given == 0 => Some(Precondition::Absent(key)),
        (_, CompareResult::NotEqual | CompareResult::Greater) if given == 0 => {
            Some(Precondition::Exists(key))
        }
        (CompareTarget::Mod, CompareResult::Equal) => {
            convert::revision(given).map(|revision| Precondition::ModRevision(key, revision))
        }
        _ => None,
    }
}

fn order(compare: &Compare, kv: &KeyValue) -> Ordering {
    let number = match compare.target() {
        CompareTarget::Version => convert::number(kv.version),
        CompareTarget::Create => convert::number(kv.create_revision),
        CompareTarget::Mod => convert::number(kv.mod_revision),
        CompareTarget::Lease => convert::lease_number(kv.lease),
        CompareTarget::Value => {
            return match &compare.target_union {
                Some(TargetUnion::Value(value)) => kv.value.cmp(value),
                _ => kv.value[..].cmp(&[]),
            };
        }
    };
    number.cmp(&given(compare))
}

/// The number to compare with: zero unless there is one for the target.
fn given(compare: &Compare) -> i64 {
    match (compare.target(), &compare.target_union) {
        (CompareTarget::Version, Some(TargetUnion::Version(number)))
        | (CompareTarget::Create, Some(TargetUnion::CreateRevision(number)))
        | (CompareTarget::Mod, Some(TargetUnion::ModRevision(number)))
        | (CompareTarget::Lease, Some(TargetUnion::Lease(number))) => *number,
        _ => 0,
    }
}

fn result(compare: &Compare, order: Ordering) -> bool {
    match compare.result() {
        CompareResult::Equal => order.is_eq(),
        CompareResult::NotEqual => order.is_ne(),
        CompareResult::Greater => order.is_gt(),
        CompareResult::Less => order.is_lt(),
    }
}
