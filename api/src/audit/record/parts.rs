//! The operations of a transaction: to whoever reads the log, each is a request of its own.

use super::Record;
use crate::audit::Level;
use crate::audit::event::{micros, object_ref};
use crate::authorization::Attributes;
use crate::handler::{Content, Request};
use crate::registry::Entry;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use windlass_core::meta::Status;
use windlass_core::request::key_path;

/// The annotation that says which operation of a transaction it is; all events of one have the same `auditID`.
const OPERATION: &str = "windlass.dev/operation";

/// What is read of a transaction that was done.
#[derive(Default, Deserialize)]
struct Done {
    status: Results,
}

#[derive(Default, Deserialize)]
struct Results {
    results: Vec<Option<Value>>,
}

// === impl Record ===

impl Record {
    /// Begins a record for each operation of a transaction, by what the policy says of the object it is about.
    ///
    /// # Errors
    /// As of [`Record::check`], for any of them.
    pub(crate) fn within(
        &self,
        operations: &[Option<(Arc<Entry>, Request)>],
    ) -> Result<(), Status> {
        let begin = |(at, read): (usize, &Option<(Arc<Entry>, Request)>)| {
            let (entry, request) = read.as_ref()?;
            let part = self.part(at, request)?;
            part.sent(entry, &request.action);
            Some(part)
        };
        let parts: Vec<_> = operations.iter().enumerate().map(begin).collect();
        let checked = parts.iter().flatten().try_for_each(Self::check);
        *self.parts.lock() = parts;
        checked
    }

    fn part(&self, at: usize, request: &Request) -> Option<Self> {
        let verb = request.action.verb().as_str();
        let target = &request.target;
        let attributes = Attributes::of(&self.sender, verb, target);
        let verdict = self.audit.policy.decide(&attributes);
        if verdict.level == Level::None {
            return None;
        }
        let now = micros(self.env.clock.now());
        let own = json!({
            "level": verdict.level.to_string(), "verb": verb, "objectRef": object_ref(target),
            "requestURI": key_path(&target.key()), "requestReceivedTimestamp": now,
            "annotations": {OPERATION: at.to_string()},
        });
        let mut event: Map<String, Value> = self.event.lock().clone();
        if let Value::Object(own) = own {
            event.extend(own);
        }
        let (audit, env, sender) = (self.audit.clone(), self.env.clone(), self.sender.clone());
        Some(Self::received(audit, verdict, env, sender, event))
    }

    pub(super) fn answered_parts(&self, content: &Content) {
        let Content::Object(object) = content else { return };
        let Ok(Done { status }) = object.view() else { return };
        for (part, result) in self.parts.lock().iter().zip(status.results) {
            let whole = |part: &&Self| part.verdict.level == Level::RequestResponse;
            if let (Some(part), Some(result)) = (part.as_ref().filter(whole), result) {
                part.insert("responseObject", result);
            }
        }
    }

    /// All of them came to the same end.
    pub(super) fn complete_parts(&self, code: u16, failure: Option<&Status>) {
        for part in self.parts.lock().drain(..).flatten() {
            if failure.is_none() {
                part.decided(true, "");
            }
            let made = part.event.lock().get("verb").is_some_and(|verb| verb == "create");
            part.complete(if failure.is_none() && !made { 200 } else { code }, failure);
        }
    }
}
