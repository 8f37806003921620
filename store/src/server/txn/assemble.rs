//! From what was committed to the answer.

use super::plan::{Branch, Step};
use crate::server::convert;
use crate::server::proto::rpc::response_op::Response;
use crate::server::proto::rpc::{
    DeleteRangeResponse, PutResponse, RangeRequest, RangeResponse, ResponseHeader, ResponseOp,
    TxnResponse,
};
use crate::server::range::{self, Found};
use crate::{KeyValue, Op, Revision};
use bytes::Bytes;
use std::collections::BTreeMap;

/// What the operations up to some place have done.
struct Assembly<'a> {
    written: &'a [Op],
    previous: Vec<Option<KeyValue>>,
    /// The revision of the commit, or the one that was read when nothing is written.
    revision: Revision,
    /// Whether the commit as a whole changes anything: then it began one revision before.
    changes: bool,
    changed: bool,
    overlay: BTreeMap<Bytes, Option<KeyValue>>,
}

/// The answer. Its headers, and those within, have a revision only.
pub(super) fn response(
    branch: Branch,
    revision: Revision,
    previous: Vec<Option<KeyValue>>,
    written: &[Op],
) -> TxnResponse {
    let changes = changes(&branch, &previous);
    let overlay = BTreeMap::new();
    let mut assembly = Assembly { written, previous, revision, changes, changed: false, overlay };
    let response = assembly.branch(branch);
    TxnResponse { header: header(revision), ..response }
}

/// Every put changes something, a removal does when something was there.
fn changes(branch: &Branch, previous: &[Option<KeyValue>]) -> bool {
    branch.steps.iter().any(|step| match step {
        Step::Range { .. } => false,
        Step::Put { .. } => true,
        Step::Delete { ops, .. } => previous[ops.clone()].iter().any(Option::is_some),
        Step::Txn(branch) => changes(branch, previous),
    })
}

fn header(revision: Revision) -> Option<ResponseHeader> {
    Some(ResponseHeader { revision: convert::number(revision), ..ResponseHeader::default() })
}

// === impl Assembly ===

impl Assembly<'_> {
    fn branch(&mut self, branch: Branch) -> TxnResponse {
        let responses = branch.steps.into_iter().map(|step| {
            let response = match step {
                Step::Range { request, found, past } => {
                    Response::ResponseRange(self.range(&request, found, past))
                }
                Step::Put { op, prev_kv } => Response::ResponsePut(self.put(op, prev_kv)),
                Step::Delete { ops, prev_kv } => {
                    Response::ResponseDeleteRange(self.delete(ops, prev_kv))
                }
                Step::Txn(branch) => Response::ResponseTxn(self.branch(branch)),
            };
            ResponseOp { response: Some(response) }
        });
        let responses = responses.collect();
        TxnResponse { header: header(0), succeeded: branch.succeeded, responses }
    }

    /// The revision at this place of the transaction.
    fn now(&self) -> Revision {
        if self.changes && !self.changed { self.revision - 1 } else { self.revision }
    }

    fn range(&self, request: &RangeRequest, mut found: Found, past: bool) -> RangeResponse {
        if !past && !self.overlay.is_empty() {
            found.items = self.with_own_writes(request, found.items);
            found.count = found.items.len() as u64;
        }
        RangeResponse { header: header(self.now()), ..range::respond(request, found) }
    }

    fn with_own_writes(&self, request: &RangeRequest, items: Vec<KeyValue>) -> Vec<KeyValue> {
        let range = convert::key_range(&request.key, &request.range_end);
        let mut all: BTreeMap<Bytes, KeyValue> =
            items.into_iter().map(|kv| (kv.key.clone(), kv)).collect();
        for (key, now) in self.overlay.iter().filter(|(key, _)| range.contains(key)) {
            match now {
                Some(kv) => drop(all.insert(key.clone(), kv.clone())),
                None => drop(all.remove(key)),
            }
        }
        all.into_values().collect()
    }

    fn put(&mut self, op: usize, prev_kv: bool) -> PutResponse {
        let previous = self.previous[op].take();
        if let Some(Op::Put { key, value, lease }) = self.written.get(op) {
            let now = match &previous {
                Some(before) => before.followed_by(value.clone(), *lease, self.revision),
                None => KeyValue::born(key, value.clone(), *lease, self.revision),
            };
            self.overlay.insert(key.clone(), Some(now));
        }
        self.changed = true;
        let prev_kv = previous.as_ref().filter(|_| prev_kv).map(convert::key_value);
        PutResponse { header: header(self.now()), prev_kv }
    }

    fn delete(&mut self, ops: std::ops::Range<usize>, prev_kv: bool) -> DeleteRangeResponse {
        let written = self.written.get(ops.clone()).unwrap_or_default();
        self.overlay.extend(written.iter().map(|op| (op.key().clone(), None)));
        let gone: Vec<_> = self.previous[ops].iter().flatten().collect();
        let prev_kvs = gone.iter().filter(|_| prev_kv).map(|kv| convert::key_value(kv)).collect();
        let deleted = gone.len() as i64;
        self.changed |= deleted > 0;
        DeleteRangeResponse { header: header(self.now()), deleted, prev_kvs }
    }
}
