//! Reading a range: what to read, and what of it to answer.

use super::convert;
use super::proto::rpc::range_request::{SortOrder, SortTarget};
use super::proto::rpc::{RangeRequest, RangeResponse};
use crate::{Backend, KeyValue, Result, Revision};

/// What a range held at a revision.
pub(super) struct Found {
    /// The keys that were read, in order.
    pub(super) items: Vec<KeyValue>,
    /// How many there are, read or not.
    pub(super) count: u64,
    pub(super) revision: Revision,
}

/// Reads as much of the range as the answer needs, or all of it.
pub(super) async fn read(
    store: &dyn Backend,
    request: &RangeRequest,
    at: Option<Revision>,
    all: bool,
) -> Result<Found> {
    let range = convert::key_range(&request.key, &request.range_end);
    let limit = if all { 0 } else { needed(request) };
    let result = store.range(&range, limit, at).await?;
    let count = result.items.len() as u64 + result.remaining;
    Ok(Found { items: result.items, count, revision: result.revision })
}

/// How many keys must be read for the answer; 0 for all.
fn needed(request: &RangeRequest) -> usize {
    if request.count_only {
        return 1;
    }
    if reordered(request) || filtered(request) {
        return 0;
    }
    usize::try_from(request.limit).unwrap_or(0)
}

/// Whether the answer is not in the order of keys.
fn reordered(request: &RangeRequest) -> bool {
    let by_key = request.sort_target() == SortTarget::Key;
    !by_key || request.sort_order() == SortOrder::Descend
}

fn filtered(request: &RangeRequest) -> bool {
    let RangeRequest { min_mod_revision, max_mod_revision, .. } = request;
    let RangeRequest { min_create_revision, max_create_revision, .. } = request;
    [min_mod_revision, max_mod_revision, min_create_revision, max_create_revision]
        .iter()
        .any(|bound| **bound != 0)
}

/// The answer, without a header. The count is that of the whole range, whatever was filtered out.
pub(super) fn respond(request: &RangeRequest, found: Found) -> RangeResponse {
    let Found { mut items, count, .. } = found;
    let count = convert::number(count);
    if request.count_only {
        return RangeResponse { count, ..RangeResponse::default() };
    }
    if filtered(request) {
        items.retain(|kv| passes(request, kv));
    }
    if reordered(request) {
        sort(request, &mut items);
    }
    let limit = usize::try_from(request.limit).ok().filter(|limit| *limit > 0);
    let whole = reordered(request) || filtered(request);
    let there = if whole { items.len() as i64 } else { count };
    let more = limit.is_some_and(|limit| there > limit as i64);
    items.truncate(limit.unwrap_or(usize::MAX));
    let mut kvs: Vec<_> = items.iter().map(convert::key_value).collect();
    if request.keys_only {
        kvs.iter_mut().for_each(|kv| kv.value.clear());
    }
    RangeResponse { header: None, kvs, more, count }
}

fn passes(request: &RangeRequest, kv: &KeyValue) -> bool {
    let within = |min: i64, max: i64, revision: Revision| {
        let revision = convert::number(revision);
        (min == 0 || revision >= min) && (max == 0 || revision <= max)
    };
    within(request.min_mod_revision, request.max_mod_revision, kv.mod_revision)
        && within(request.min_create_revision, request.max_create_revision, kv.create_revision)
}

fn sort(request: &RangeRequest, items: &mut [KeyValue]) {
    match request.sort_target() {
        SortTarget::Key => {}
        SortTarget::Version => items.sort_by_key(|kv| kv.version),
        SortTarget::Create => items.sort_by_key(|kv| kv.create_revision),
        SortTarget::Mod => items.sort_by_key(|kv| kv.mod_revision),
        SortTarget::Value => items.sort_by(|a, b| a.value.cmp(&b.value)),
    }
    if request.sort_order() == SortOrder::Descend {
        items.reverse();
    }
}
