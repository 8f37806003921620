//! What a watch shows of a commit.

use crate::server::convert;
use crate::server::proto::mvccpb::{self, event::EventType};
use crate::server::proto::rpc::watch_create_request::FilterType;
use crate::server::proto::rpc::{WatchCreateRequest, WatchResponse};
use crate::{Batch, Event, Revision};
use prost::Message;

/// What one watch wants to see.
pub(super) struct View {
    /// Nothing from before.
    pub(super) from: Revision,
    pub(super) fragment: bool,
    no_put: bool,
    no_delete: bool,
    prev_kv: bool,
}

// === impl View ===

impl View {
    pub(super) fn new(request: &WatchCreateRequest, from: Revision) -> Self {
        let filters = |filter| request.filters().any(|given| given == filter);
        Self {
            from,
            fragment: request.fragment,
            no_put: filters(FilterType::Noput),
            no_delete: filters(FilterType::Nodelete),
            prev_kv: request.prev_kv,
        }
    }

    /// The events of a commit, as they are sent; none if all are filtered out.
    pub(super) fn of(&self, batch: &Batch) -> Vec<mvccpb::Event> {
        if batch.revision < self.from {
            return Vec::new();
        }
        let events = batch.events.iter().filter(|event| !self.filtered(event));
        events.map(|event| self.event(event, batch.revision)).collect()
    }

    fn filtered(&self, event: &Event) -> bool {
        match event {
            Event::Put { .. } => self.no_put,
            Event::Delete { .. } => self.no_delete,
        }
    }

    fn event(&self, event: &Event, revision: Revision) -> mvccpb::Event {
        let (kind, kv, previous) = match event {
            Event::Put { now, previous } => {
                (EventType::Put, convert::key_value(now), previous.as_ref())
            }
            // Of what was removed the key and the time are told, and nothing else.
            Event::Delete { previous } => {
                let (key, mod_revision) = (previous.key.clone(), convert::number(revision));
                let kv = mvccpb::KeyValue { key, mod_revision, ..Default::default() };
                (EventType::Delete, kv, Some(previous))
            }
        };
        let prev_kv = previous.filter(|_| self.prev_kv).map(convert::key_value);
        mvccpb::Event { r#type: kind.into(), kv: Some(kv), prev_kv }
    }
}

/// The same response in pieces of at most `most` bytes, or of one event.
pub(super) fn fragments(mut whole: WatchResponse, most: usize) -> Vec<WatchResponse> {
    if whole.events.len() < 2 || whole.encoded_len() < most {
        return vec![whole];
    }
    let events = std::mem::take(&mut whole.events);
    let mut pieces: Vec<WatchResponse> = Vec::new();
    let mut size = 0;
    for event in events {
        // Its tag and its length come to it.
        let len = event.encoded_len() + 6;
        if pieces.is_empty() || size + len > most {
            pieces.push(WatchResponse { fragment: true, ..whole.clone() });
            size = whole.encoded_len() + 2;
        }
        size += len;
        pieces.last_mut().expect("there is one").events.push(event);
    }
    pieces.last_mut().expect("there are events").fragment = false;
    pieces
}
