//! Requests in few words.
#![allow(dead_code, reason = "generated")]

#[allow(clippy::all, unreachable_pub)]
pub(crate) mod mvccpb {
    tonic::include_proto!("mvccpb");
}
#[allow(clippy::all, unreachable_pub)]
pub(crate) mod authpb {
    tonic::include_proto!("authpb");
}
#[allow(clippy::all, unreachable_pub)]
pub(crate) mod etcdserverpb {
    tonic::include_proto!("etcdserverpb");
}

pub(crate) use compare::{CompareResult, CompareTarget, TargetUnion};
pub(crate) use etcdserverpb::*;
pub(crate) use mvccpb::{Event, KeyValue, event::EventType};

use bytes::Bytes;

pub(crate) fn range(key: &'static str, end: &'static str) -> RangeRequest {
    RangeRequest { key: key.into(), range_end: end.into(), ..Default::default() }
}

pub(crate) fn put(key: &'static str, value: &'static str) -> PutRequest {
    PutRequest { key: key.into(), value: value.into(), ..Default::default() }
}

pub(crate) fn delete(key: &'static str, end: &'static str) -> DeleteRangeRequest {
    DeleteRangeRequest { key: key.into(), range_end: end.into(), ..Default::default() }
}

pub(crate) fn compare(
    key: &'static str,
    result: CompareResult,
    target: CompareTarget,
    union: TargetUnion,
) -> Compare {
    Compare {
        key: key.into(),
        result: result.into(),
        target: target.into(),
        target_union: Some(union),
        range_end: Bytes::new(),
    }
}

/// The key was last changed at this revision; 0: it is not there.
pub(crate) fn at_revision(key: &'static str, revision: i64) -> Compare {
    let union = TargetUnion::ModRevision(revision);
    compare(key, CompareResult::Equal, CompareTarget::Mod, union)
}

pub(crate) fn txn(
    compare: impl Into<Vec<Compare>>,
    success: impl Into<Vec<RequestOp>>,
    failure: impl Into<Vec<RequestOp>>,
) -> TxnRequest {
    TxnRequest { compare: compare.into(), success: success.into(), failure: failure.into() }
}

impl From<RangeRequest> for RequestOp {
    fn from(request: RangeRequest) -> Self {
        Self { request: Some(request_op::Request::RequestRange(request)) }
    }
}

impl From<PutRequest> for RequestOp {
    fn from(request: PutRequest) -> Self {
        Self { request: Some(request_op::Request::RequestPut(request)) }
    }
}

impl From<DeleteRangeRequest> for RequestOp {
    fn from(request: DeleteRangeRequest) -> Self {
        Self { request: Some(request_op::Request::RequestDeleteRange(request)) }
    }
}

impl From<TxnRequest> for RequestOp {
    fn from(request: TxnRequest) -> Self {
        Self { request: Some(request_op::Request::RequestTxn(request)) }
    }
}

pub(crate) fn revision(header: &Option<ResponseHeader>) -> i64 {
    header.as_ref().map_or(0, |header| header.revision)
}

/// `key=value`, separated by spaces.
pub(crate) fn short(kvs: &[KeyValue]) -> String {
    let short = |kv: &KeyValue| format!("{}={}", text(&kv.key), text(&kv.value));
    kvs.iter().map(short).collect::<Vec<_>>().join(" ")
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What a transaction answered, operation by operation: `R@revision(keys)`, `P@…(previous)`, `D@…(count:previous)`,
/// `T[+…]`, `T[-…]`.
pub(crate) fn told(response: &TxnResponse) -> String {
    let told = |op: &ResponseOp| match op.response.as_ref().unwrap() {
        response_op::Response::ResponseRange(r) => {
            format!("R@{}({})", revision(&r.header), short(&r.kvs))
        }
        response_op::Response::ResponsePut(p) => {
            format!("P@{}({})", revision(&p.header), short(p.prev_kv.as_slice()))
        }
        response_op::Response::ResponseDeleteRange(d) => {
            format!("D@{}({}:{})", revision(&d.header), d.deleted, short(&d.prev_kvs))
        }
        response_op::Response::ResponseTxn(t) => format!("T[{}]", told(t)),
    };
    let sign = if response.succeeded { "+" } else { "-" };
    let ops: Vec<_> = response.responses.iter().map(told).collect();
    format!("{sign}{}", ops.join(" "))
}

/// `+key=value` and `-key`, with what stood there before in brackets.
pub(crate) fn short_events(events: &[Event]) -> String {
    let short_event = |event: &Event| {
        let kv = event.kv.as_ref().unwrap();
        let before =
            event.prev_kv.as_ref().map_or_else(String::new, |kv| format!("[{}]", text(&kv.value)));
        match event.r#type() {
            EventType::Put => format!("+{}={}{before}", text(&kv.key), text(&kv.value)),
            EventType::Delete => format!("-{}{before}", text(&kv.key)),
        }
    };
    events.iter().map(short_event).collect::<Vec<_>>().join(" ")
}
