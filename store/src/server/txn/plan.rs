//! What a transaction comes to: which branch is taken, what is written, and on what that stands.

use super::{Failure, compare};
use crate::server::proto::rpc::request_op::Request;
use crate::server::proto::rpc::{
    Compare, DeleteRangeRequest, PutRequest, RangeRequest, RequestOp, TxnRequest,
};
use crate::server::range::{self, Found};
use crate::server::{convert, status};
use crate::{Backend, Error, KeyRange, KeyValue, Op, Precondition, Revision, Txn};
use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt};
use std::collections::HashSet;
use std::ops::Range;

/// A transaction with its branches chosen.
pub(super) struct Plan {
    /// What to commit. Nothing, when only reading was asked for: then the revision is `at`.
    pub(super) txn: Txn,
    pub(super) branch: Branch,
    /// The operations once more, when a later part of the transaction reads what an earlier one writes.
    pub(super) written: Vec<Op>,
    pub(super) at: Revision,
}

/// The branch that is taken.
pub(super) struct Branch {
    pub(super) succeeded: bool,
    pub(super) steps: Vec<Step>,
}

/// One operation. Those of the store are named by their place in the store's transaction.
pub(super) enum Step {
    Range {
        request: RangeRequest,
        found: Found,
        /// It reads a revision of the past, whatever is written here.
        past: bool,
    },
    Put {
        op: usize,
        prev_kv: bool,
    },
    Delete {
        ops: Range<usize>,
        prev_kv: bool,
    },
    Txn(Branch),
}

/// Plans on what stands at one revision, and notes what it stood on.
struct Planner<'a> {
    store: &'a dyn Backend,
    at: Revision,
    txn: Txn,
    removed: HashSet<Bytes>,
    reads_own_writes: bool,
}

// === impl Plan ===

impl Plan {
    /// The plan in which all comparisons hold, when preconditions can say what they say, and nothing
    /// else must be read.
    pub(super) fn direct(request: &TxnRequest) -> Option<Self> {
        if request.success.is_empty() {
            return None;
        }
        let preconditions = request.compare.iter().map(compare::precondition);
        let preconditions = preconditions.collect::<Option<Vec<_>>>()?;
        let mut txn = Txn { preconditions, ops: Vec::with_capacity(request.success.len()) };
        let mut steps = Vec::with_capacity(request.success.len());
        for RequestOp { request } in &request.success {
            let op = txn.ops.len();
            match request {
                Some(Request::RequestPut(put)) if !put.ignore_value && !put.ignore_lease => {
                    txn.ops.push(put_op(put));
                    steps.push(Step::Put { op, prev_kv: put.prev_kv });
                }
                Some(Request::RequestDeleteRange(delete)) if delete.range_end.is_empty() => {
                    if txn.ops.iter().any(|op| op.key() == &delete.key) {
                        return None;
                    }
                    txn.ops.push(Op::Delete { key: delete.key.clone() });
                    steps.push(Step::Delete { ops: op..op + 1, prev_kv: delete.prev_kv });
                }
                _ => return None,
            }
        }
        let branch = Branch { succeeded: true, steps };
        Some(Self { txn, branch, written: Vec::new(), at: 0 })
    }

    /// The plan on what stands now.
    pub(super) async fn at_present(
        store: &dyn Backend,
        request: &TxnRequest,
    ) -> Result<Self, Failure> {
        let at = store.current_revision().await?;
        let (txn, removed) = (Txn::new(), HashSet::new());
        let mut planner = Planner { store, at, txn, removed, reads_own_writes: false };
        let branch = planner.branch(request).await?;
        let Planner { txn, reads_own_writes, .. } = planner;
        let written = if reads_own_writes { txn.ops.clone() } else { Vec::new() };
        Ok(Self { txn, branch, written, at })
    }
}

fn put_op(request: &PutRequest) -> Op {
    let (key, value) = (request.key.clone(), convert::kept(&request.value));
    Op::Put { key, value, lease: convert::lease(request.lease) }
}

// === impl Planner ===

impl Planner<'_> {
    fn branch<'b>(&'b mut self, request: &'b TxnRequest) -> BoxFuture<'b, Result<Branch, Failure>> {
        async move {
            let succeeded = self.compare(&request.compare).await?;
            let chosen = if succeeded { &request.success } else { &request.failure };
            let mut steps = Vec::with_capacity(chosen.len());
            for op in chosen {
                steps.push(self.step(op).await?);
            }
            Ok(Branch { succeeded, steps })
        }
        .boxed()
    }

    async fn compare(&mut self, all: &[Compare]) -> Result<bool, Failure> {
        for compare in all {
            let range = convert::key_range(&compare.key, &compare.range_end);
            let items = if compare.range_end.is_empty() {
                self.pinned(&compare.key).await?.into_iter().collect()
            } else {
                self.pinned_range(range).await?
            };
            if !compare::holds(compare, &items) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn step(&mut self, op: &RequestOp) -> Result<Step, Failure> {
        match &op.request {
            Some(Request::RequestRange(request)) => self.range(request).await,
            Some(Request::RequestPut(request)) => self.put(request).await,
            Some(Request::RequestDeleteRange(request)) => self.delete(request).await,
            Some(Request::RequestTxn(request)) => Ok(Step::Txn(self.branch(request).await?)),
            None => Err(Failure::Refused(status::KEY_NOT_FOUND.into())),
        }
    }

    async fn range(&mut self, request: &RangeRequest) -> Result<Step, Failure> {
        let asked = convert::revision(request.revision);
        if asked.is_some_and(|asked| asked > self.at) {
            return Err(Failure::Refused(status::FUTURE.into()));
        }
        let (at, past) = (Some(asked.unwrap_or(self.at)), asked.is_some());
        // What this transaction wrote may come into the range, or go out of it.
        let all = !past && !self.txn.ops.is_empty();
        let found = match range::read(self.store, request, at, all).await {
            Ok(found) => found,
            Err(Error::Compacted { .. }) if past => {
                return Err(Failure::Refused(status::COMPACTED.into()));
            }
            Err(error) => return Err(error.into()),
        };
        if !past {
            self.reads_own_writes |= all;
            self.pin_range(convert::key_range(&request.key, &request.range_end));
        }
        Ok(Step::Range { request: request.clone(), found, past })
    }

    async fn put(&mut self, request: &PutRequest) -> Result<Step, Failure> {
        let op = match put_op(request) {
            Op::Put { key, value, lease } if request.ignore_value || request.ignore_lease => {
                let before = self.pinned(&key).await?;
                let before =
                    before.ok_or_else(|| Failure::Refused(status::KEY_NOT_FOUND.into()))?;
                let value = if request.ignore_value { before.value } else { value };
                let lease = if request.ignore_lease { before.lease } else { lease };
                Op::Put { key, value, lease }
            }
            op => op,
        };
        self.txn.ops.push(op);
        Ok(Step::Put { op: self.txn.ops.len() - 1, prev_kv: request.prev_kv })
    }

    async fn delete(&mut self, request: &DeleteRangeRequest) -> Result<Step, Failure> {
        let keys = if request.range_end.is_empty() {
            vec![request.key.clone()]
        } else {
            let range = convert::key_range(&request.key, &request.range_end);
            self.pinned_range(range).await?.into_iter().map(|kv| kv.key).collect()
        };
        let first = self.txn.ops.len();
        for key in keys {
            // A second removal finds nothing.
            if self.removed.insert(key.clone()) {
                self.txn.ops.push(Op::Delete { key });
            }
        }
        Ok(Step::Delete { ops: first..self.txn.ops.len(), prev_kv: request.prev_kv })
    }

    /// What a key holds; the plan stands on it.
    async fn pinned(&mut self, key: &Bytes) -> Result<Option<KeyValue>, Failure> {
        let found = self.store.get(key, Some(self.at)).await?;
        self.txn.preconditions.push(match &found {
            Some(kv) => Precondition::ModRevision(key.clone(), kv.mod_revision),
            None => Precondition::Absent(key.clone()),
        });
        Ok(found)
    }

    /// What a range holds; the plan stands on it.
    async fn pinned_range(&mut self, range: KeyRange) -> Result<Vec<KeyValue>, Failure> {
        let items = self.store.range(&range, 0, Some(self.at)).await?.items;
        self.pin_range(range);
        Ok(items)
    }

    fn pin_range(&mut self, range: KeyRange) {
        self.txn.preconditions.push(Precondition::Unchanged(range, self.at));
    }
}
