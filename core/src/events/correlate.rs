//! Equal events become one with a count, and so do similar ones when there are many (client-go's `EventCorrelator`).

use super::{EventType, Reference, Source};
use crate::clock::Env;
use bytes::Bytes;
use jiff::Timestamp;
use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::{Value, json};

/// So many different events, and so many objects, are remembered.
const REMEMBERED: usize = 4096;
/// So many events of one object may come at once …
const BURST: f64 = 25.0;
/// … and one more in so many seconds.
const REFILL: f64 = 300.0;
/// So many events that differ by their message alone are written as they are …
const SIMILAR: usize = 10;
/// … if they come within so many seconds of each other; more become one.
const SIMILAR_WITHIN: f64 = 600.0;
/// How the message of such a one begins.
const COMBINED: &str = "(combined from similar events): ";
/// The longest name of an object (RFC 1123 subdomain).
const MAX_NAME: usize = 253;

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
    similar: FxHashMap<Recorded, Similar>,
    budgets: FxHashMap<(Source, Reference), Budget>,
    last_name: u64,
}

/// How many events an object has left.
struct Budget {
    left: f64,
    at: Timestamp,
}

/// Events that are equal but for the message.
struct Similar {
    messages: FxHashSet<String>,
    last: Timestamp,
}

struct Seen {
    name: String,
    first: Timestamp,
    count: u32,
}

impl Correlator {
    /// What to write for an event; nothing when its object has had more than its share.
    pub(super) fn next(&mut self, recorded: Recorded, now: Timestamp, env: &Env) -> Option<Write> {
        let recorded = self.combine(recorded, now);
        if !self.affords(&recorded, now) {
            return None;
        }
        if self.seen.len() >= REMEMBERED {
            self.seen.clear();
        }
        // Names follow time, so that a list of events is in the order they happened.
        let nanos = u64::try_from(now.as_nanosecond()).unwrap_or(0) | 0xff;
        self.last_name = nanos.max(self.last_name + 0x100);
        let number = (self.last_name & !0xff) | (env.random.next() & 0xff);
        let fresh =
            || Seen { name: event_name(&recorded.about.name, number), first: now, count: 0 };
        // What was combined is counted as one, whatever the message is now.
        let mut alike = recorded.clone();
        if alike.message.starts_with(COMBINED) {
            alike.message = COMBINED.into();
        }
        let seen = self.seen.entry(alike).or_insert_with(fresh);
        seen.count += 1;
        let patch = || json!({"count": seen.count, "lastTimestamp": seconds(now), "message": recorded.message});
        let patch = (seen.count > 1).then(patch);
        let namespace = match recorded.about.namespace.as_str() {
            "" => "default",
            namespace => namespace,
        };
        let body = body(&recorded, seen, namespace, now).to_string().into();
        Some(Write { namespace: namespace.into(), name: seen.name.clone(), body, patch })
    }

    /// An event that has had too many like it of late says so, and is written over the last one of them.
    fn combine(&mut self, mut recorded: Recorded, now: Timestamp) -> Recorded {
        if self.similar.len() >= REMEMBERED {
            self.similar.clear();
        }
        let message = std::mem::take(&mut recorded.message);
        let fresh = || Similar { messages: FxHashSet::default(), last: now };
        let similar = self.similar.entry(recorded.clone()).or_insert_with(fresh);
        if now.duration_since(similar.last).as_secs_f64() > SIMILAR_WITHIN {
            similar.messages.clear();
        }
        similar.last = now;
        recorded.message = if similar.messages.contains(&message) {
            message
        } else if similar.messages.len() < SIMILAR - 1 {
            similar.messages.insert(message.clone());
            message
        } else {
            format!("{COMBINED}{message}")
        };
        recorded
    }

    /// A pod that fails over and over must not keep the API busy.
    fn affords(&mut self, recorded: &Recorded, now: Timestamp) -> bool {
        if self.budgets.len() >= REMEMBERED {
            self.budgets.clear();
        }
        let about = Reference { field_path: String::new(), ..recorded.about.clone() };
        let budget = self.budgets.entry((recorded.source.clone(), about));
        let budget = budget.or_insert(Budget { left: BURST, at: now });
        let passed = now.duration_since(budget.at).as_secs_f64().max(0.0);
        budget.left = (budget.left + passed / REFILL).min(BURST);
        budget.at = now;
        let affords = budget.left >= 1.0;
        if affords {
            budget.left -= 1.0;
        }
        affords
    }
}

/// `web-0.17a3…`, no longer than a name may be.
fn event_name(about: &str, number: u64) -> String {
    let end = about.floor_char_boundary(MAX_NAME - 17);
    format!("{}.{number:016x}", about[..end].trim_end_matches(['-', '.']))
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

#[cfg(test)]
mod tests;
