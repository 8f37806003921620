//! What is wrong with a request by itself, whatever the store holds.

mod intervals;

use super::convert;
use super::proto::rpc::range_request::{SortOrder, SortTarget};
use super::proto::rpc::request_op::Request;
use super::proto::rpc::{DeleteRangeRequest, PutRequest, RangeRequest, RequestOp, TxnRequest};
use super::status;
use bytes::Bytes;
use intervals::Intervals;
use std::collections::BTreeSet;
use std::ops::Bound;
use tonic::Status;

type Checked = Result<(), Status>;

/// What a branch of a transaction writes, if it is taken.
#[derive(Default)]
struct Writes {
    puts: BTreeSet<Bytes>,
    deletes: Intervals,
}

pub(super) fn size(len: usize, most: usize) -> Checked {
    refuse_if(len > most, status::TOO_LARGE)
}

pub(super) fn range(request: &RangeRequest) -> Checked {
    refuse_if(request.key.is_empty(), status::EMPTY_KEY)?;
    let sorts = SortOrder::try_from(request.sort_order).is_ok()
        && SortTarget::try_from(request.sort_target).is_ok();
    refuse_if(!sorts, status::INVALID_SORT)
}

pub(super) fn put(request: &PutRequest) -> Checked {
    refuse_if(request.key.is_empty(), status::EMPTY_KEY)?;
    refuse_if(request.ignore_value && !request.value.is_empty(), status::VALUE_PROVIDED)?;
    refuse_if(request.ignore_lease && request.lease != 0, status::LEASE_PROVIDED)
}

pub(super) fn delete(request: &DeleteRangeRequest) -> Checked {
    refuse_if(request.key.is_empty(), status::EMPTY_KEY)
}

/// A transaction with all in it. `most` is how many operations a branch may have.
pub(super) fn txn(request: &TxnRequest, most: usize) -> Checked {
    parts(request, most)?;
    writes(&request.success)?;
    writes(&request.failure)?;
    Ok(())
}

fn parts(request: &TxnRequest, most: usize) -> Checked {
    let TxnRequest { compare, success, failure } = request;
    let longest = compare.len().max(success.len()).max(failure.len());
    refuse_if(longest > most, status::TOO_MANY_OPS)?;
    refuse_if(compare.iter().any(|compare| compare.key.is_empty()), status::EMPTY_KEY)?;
    // What a nested transaction may have is what this one left.
    success.iter().chain(failure).try_for_each(|op| match &op.request {
        Some(Request::RequestRange(request)) => range(request),
        Some(Request::RequestPut(request)) => put(request),
        Some(Request::RequestDeleteRange(request)) => delete(request),
        Some(Request::RequestTxn(request)) => parts(request, most - longest),
        None => Err(status::KEY_NOT_FOUND.into()),
    })
}

/// No key may be written twice, or written and removed. The two branches of a nested transaction
/// may write the same: only one is taken. (etcd lets a nested transaction remove what an earlier
/// one beside it wrote; here that is refused as well.)
fn writes(ops: &[RequestOp]) -> Result<Writes, Status> {
    let mut all = Writes::default();
    for op in ops {
        if let Some(Request::RequestDeleteRange(request)) = &op.request {
            let range = convert::key_range(&request.key, &request.range_end);
            all.deletes.add(range.start, range.end);
        }
    }
    for op in ops {
        if let Some(Request::RequestTxn(request)) = &op.request {
            let (then, otherwise) = (writes(&request.success)?, writes(&request.failure)?);
            refuse_if(all.clashes(&then) || all.clashes(&otherwise), status::DUPLICATE_KEY)?;
            all.take(then);
            all.take(otherwise);
        }
    }
    for op in ops {
        if let Some(Request::RequestPut(request)) = &op.request {
            let twice = all.deletes.contains(&request.key) || !all.puts.insert(request.key.clone());
            refuse_if(twice, status::DUPLICATE_KEY)?;
        }
    }
    Ok(all)
}

// === impl Writes ===

impl Writes {
    fn clashes(&self, other: &Self) -> bool {
        let puts_twice = other.puts.iter().any(|key| self.puts.contains(key));
        puts_twice || self.deletes_any(&other.puts) || other.deletes_any(&self.puts)
    }

    fn deletes_any(&self, puts: &BTreeSet<Bytes>) -> bool {
        self.deletes.iter().any(|(start, end)| {
            let end = end.map_or(Bound::Unbounded, Bound::Excluded);
            puts.range::<Bytes, _>((Bound::Included(start), end)).next().is_some()
        })
    }

    fn take(&mut self, other: Self) {
        self.puts.extend(other.puts);
        other.deletes.iter().for_each(|(start, end)| self.deletes.add(start.clone(), end.cloned()));
    }
}

fn refuse_if(wrong: bool, why: status::Known) -> Checked {
    if wrong { Err(why.into()) } else { Ok(()) }
}
