//! A transaction in etcd's words, and what its answer means. Without I/O.

use super::convert::{FIRST, Span, key_value, revision, signed, unsigned};
use crate::{Committed, Error, KeyValue, Op, Precondition, Result, Revision, Txn};
use bytes::Bytes;
use etcd_client::proto::{PbRangeResponse, PbResponseOp, PbTxnOpResponse, PbTxnResponse};
use etcd_client::{Compare, CompareOp, DeleteOptions, GetOptions, PutOptions, TxnOp};

/// The keys of the ranges that [`Precondition::Unchanged`] names, as they were then; in the order of the preconditions.
pub(super) type Pins = Vec<Vec<Bytes>>;

/// The request: compares, the operations, and, for when a compare fails, reads that tell which.
pub(super) fn request(txn: &Txn, pins: &Pins) -> etcd_client::Txn {
    let mut pins = pins.iter();
    let mut compares = Vec::new();
    for precondition in &txn.preconditions {
        add_compares(&mut compares, precondition, &mut pins);
    }
    let operations: Vec<TxnOp> = match &txn.ops[..] {
        // Without any operation etcd would not ask its peers whether it is up to date.
        [] => vec![TxnOp::get(FIRST, Some(GetOptions::new().with_count_only()))],
        ops => ops.iter().map(operation).collect(),
    };
    let reads: Vec<TxnOp> = txn.preconditions.iter().filter_map(read).collect();
    etcd_client::Txn::new().when(compares).and_then(operations).or_else(reads)
}

fn add_compares<'a>(
    compares: &mut Vec<Compare>,
    precondition: &Precondition,
    pins: &mut impl Iterator<Item = &'a Vec<Bytes>>,
) {
    let there = |key: &Bytes| Compare::create_revision(&key[..], CompareOp::Greater, 0);
    match precondition {
        Precondition::Exists(key) => compares.push(there(key)),
        Precondition::Absent(key) => {
            compares.push(Compare::create_revision(&key[..], CompareOp::Equal, 0));
        }
        // To etcd an absent key has revision 0.
        Precondition::ModRevision(key, 0) => {
            compares.push(Compare::mod_revision(&key[..], CompareOp::Less, 0));
        }
        Precondition::ModRevision(key, at) => {
            compares.push(Compare::mod_revision(&key[..], CompareOp::Equal, signed(*at)));
        }
        Precondition::Value(key, value) => {
            compares.push(Compare::value(&key[..], CompareOp::Equal, &value[..]));
        }
        Precondition::Unchanged(range, since) => {
            let keys = pins.next().expect("each pinned range was read");
            let Some(span) = Span::of(range) else { return };
            let older = Compare::mod_revision(span.key, CompareOp::Less, after(*since));
            compares.push(if span.end.is_empty() { older } else { older.with_range(span.end) });
            compares.extend(keys.iter().map(there));
        }
    }
}

fn after(since: Revision) -> i64 {
    signed(since.max(1)).saturating_add(1)
}

fn operation(op: &Op) -> TxnOp {
    match op {
        Op::Put { key, value, lease } => {
            let lease = lease.map_or(0, |id| id.get().cast_signed());
            let options = PutOptions::new().with_prev_key().with_lease(lease);
            TxnOp::put(&key[..], &value[..], Some(options))
        }
        Op::Delete { key } => TxnOp::delete(&key[..], Some(DeleteOptions::new().with_prev_key())),
    }
}

/// What tells whether a precondition holds; `None` for one that always does.
fn read(precondition: &Precondition) -> Option<TxnOp> {
    Some(match precondition {
        Precondition::Value(key, _) => TxnOp::get(&key[..], None),
        Precondition::Exists(key)
        | Precondition::Absent(key)
        | Precondition::ModRevision(key, _) => {
            TxnOp::get(&key[..], Some(GetOptions::new().with_keys_only()))
        }
        Precondition::Unchanged(range, since) => {
            let span = Span::of(range)?;
            let newer = span.options().with_keys_only().with_min_mod_revision(after(*since));
            TxnOp::get(span.key, Some(newer.with_limit(1)))
        }
    })
}

/// What the answer says about the transaction.
pub(super) fn outcome(txn: &Txn, pins: &Pins, answer: PbTxnResponse) -> Result<Committed> {
    let revision = revision(answer.header.as_ref());
    if !answer.succeeded {
        return Err(failed(&txn.preconditions, pins, &answer.responses));
    }
    let answers = answer.responses.into_iter().take(txn.ops.len());
    Ok(Committed { revision, previous: answers.map(previous).collect() })
}

fn previous(answer: PbResponseOp) -> Option<KeyValue> {
    match answer.response? {
        PbTxnOpResponse::ResponsePut(put) => put.prev_kv.map(key_value),
        PbTxnOpResponse::ResponseDeleteRange(mut delete) => delete.prev_kvs.pop().map(key_value),
        _ => None,
    }
}

/// Names the first precondition that did not hold.
fn failed(preconditions: &[Precondition], pins: &Pins, answers: &[PbResponseOp]) -> Error {
    let mut answers = answers.iter();
    let mut pins = pins.iter();
    for (index, precondition) in preconditions.iter().enumerate() {
        let pin = match precondition {
            Precondition::Unchanged(..) => pins.next().map_or(0, Vec::len),
            _ => 0,
        };
        if read(precondition).is_none() {
            continue;
        }
        let found = answers.next().and_then(|answer| answer.response.as_ref());
        let Some(PbTxnOpResponse::ResponseRange(found)) = found else { break };
        if !holds(precondition, pin, found) {
            return Error::Precondition { index };
        }
    }
    Error::Unavailable("etcd refused a transaction whose preconditions hold".into())
}

fn holds(precondition: &Precondition, pinned: usize, found: &PbRangeResponse) -> bool {
    let kv = found.kvs.first();
    match precondition {
        Precondition::Exists(_) => kv.is_some(),
        Precondition::Absent(_) => kv.is_none(),
        Precondition::ModRevision(_, at) => kv.is_some_and(|kv| unsigned(kv.mod_revision) == *at),
        Precondition::Value(_, value) => kv.is_some_and(|kv| kv.value == *value),
        // None was written; as many as there were are there: none was removed.
        Precondition::Unchanged(..) => kv.is_none() && unsigned(found.count) == pinned as u64,
    }
}
