//! Equal events become one with a count (client-go's `EventCorrelator`).

use super::{EventType, Reference, Source};
use crate::clock::Env;
use bytes::Bytes;
use jiff::Timestamp;
use rustc_hash::FxHashMap;
use serde_json::{Value, json};

/// So many different events are remembered.
const REMEMBERED: usize = 4096;

/// An event as it was reported.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Recorded {
    pub(super) about: Reference,
    pub(super) kind: EventType,
    pub(super) reason: String,
    pub(super) message: String,
    pub(super) source: Source,
}

/// What to write for it.
pub(super) struct Write {
    pub(super) namespace: String,
    pub(super) name: String,
    /// The event as a whole.
    pub(super) body: Bytes,
    /// The change to the one that is there already.
    pub(super) patch: Option<Value>,
}

#[derive(Default)]
pub(super) struct Correlator {
    seen: FxHashMap<Recorded, Seen>,
}

struct Seen {
    name: String,
    first: Timestamp,
    count: u32,
}

impl Correlator {
    pub(super) fn next(&mut self, recorded: Recorded, now: Timestamp, env: &Env) -> Write {
        if self.seen.len() >= REMEMBERED {
            self.seen.clear();
        }
        let fresh = || Seen {
            name: format!("{}.{:016x}", recorded.about.name, env.random.next()),
            first: now,
            count: 0,
        };
        let seen = self.seen.entry(recorded.clone()).or_insert_with(fresh);
        seen.count += 1;
        let patch =
            (seen.count > 1).then(|| json!({"count": seen.count, "lastTimestamp": seconds(now)}));
        let namespace = match recorded.about.namespace.as_str() {
            "" => "default",
            namespace => namespace,
        };
        let body = body(&recorded, seen, namespace, now).to_string().into();
        Write { namespace: namespace.into(), name: seen.name.clone(), body, patch }
    }
}

fn body(recorded: &Recorded, seen: &Seen, namespace: &str, now: Timestamp) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Event",
        "metadata": {"name": seen.name, "namespace": namespace},
        "involvedObject": recorded.about, "reason": recorded.reason, "message": recorded.message,
        "source": recorded.source, "reportingComponent": recorded.source.component,
        "reportingInstance": recorded.source.host,
        "type": format!("{:?}", recorded.kind), "count": seen.count,
        "firstTimestamp": seconds(seen.first), "lastTimestamp": seconds(now),
    })
}

fn seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
