//! The events of one request.

mod parts;

use super::event::{Origin, common, micros, object_ref, response_status, without_managed_fields};
use super::policy::Verdict;
use super::{Audit, Level, Stage};
use crate::admission::notes::Notes;
use crate::authentication::User;
use crate::authorization::Attributes;
use crate::handler::{Action, Content};
use crate::registry::{Body, BodyFormat, Entry};
use crate::strategy::json::map_mut;
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::Instant;
use windlass_core::client::Transaction;
use windlass_core::clock::Env;
use windlass_core::meta::{Reason, Status};
use windlass_core::scheme::TRANSACTIONS;

/// The annotation that names what a transaction does. Its objects are recorded with its operations: the policy may
/// keep some of them, as secrets, out of the log.
const OPERATIONS: &str = "windlass.dev/operations";
/// What patches of webhooks are noted under.
const PATCHES: &str = "patch.webhook.admission.k8s.io/";
/// Of requests that take so long it is said how long, as Kubernetes does it.
const SLOW: Duration = Duration::from_millis(500);
/// A name that a client gives is cut off here.
const LONGEST_NAME: usize = 253;

/// What is recorded of one request. When it is dropped before its end was noted, the request came to none: its client
/// is gone or the server panicked.
pub(crate) struct Record {
    audit: Arc<Audit>,
    verdict: Verdict,
    env: Env,
    /// The policy is about him.
    sender: User,
    event: Mutex<Map<String, Value>>,
    /// Of the operations of a transaction.
    parts: Mutex<Vec<Option<Record>>>,
    done: AtomicBool,
    begun: Instant,
    /// Its first event is lost.
    lost: bool,
}

// === impl Record ===

impl Record {
    /// Begins, if the policy wants anything of the request. What it says of users is about the one who sent it: nobody
    /// hides behind another.
    pub(crate) fn begin(
        audit: &Arc<Audit>,
        attributes: &Attributes<'_>,
        origin: &Origin,
        id: &str,
        env: &Env,
    ) -> Option<Self> {
        let sender = origin.impersonator.as_ref().unwrap_or(attributes.user);
        let verdict = audit.policy.decide(&Attributes { user: sender, ..*attributes });
        // What the policy says of a transaction it does not say of what is done by it.
        let together = attributes.resource.is_some_and(|target| target.resource == TRANSACTIONS);
        if verdict.level == Level::None && !together {
            return None;
        }
        let (level, now) = (verdict.level.to_string(), env.clock.now());
        let mut event = common(id, &level, origin, attributes.user, attributes.verb, now);
        if let Some(target) = attributes.resource {
            event.insert("objectRef".into(), object_ref(target));
        }
        Some(Self::received(audit.clone(), verdict, env.clone(), sender.clone(), event))
    }

    fn received(
        audit: Arc<Audit>,
        verdict: Verdict,
        env: Env,
        sender: User,
        event: Map<String, Value>,
    ) -> Self {
        let (event, parts, done) = (Mutex::new(event), Mutex::default(), AtomicBool::new(false));
        let begun = Instant::now();
        let lost = false;
        let mut record = Self { audit, verdict, env, sender, event, parts, done, begun, lost };
        record.lost = !record.write(Stage::RequestReceived);
        record
    }

    /// Refuses the request if it is not to be done when it can't be recorded.
    ///
    /// # Errors
    /// What the client is told.
    pub(crate) fn check(&self) -> Result<(), Status> {
        if !self.lost || !self.audit.strict {
            return Ok(());
        }
        self.audit.rejected.fetch_add(1, Ordering::Relaxed);
        Err(Status::internal("failed to update audit event"))
    }

    /// Notes whether it may be done, as Kubernetes does it: in annotations.
    pub(crate) fn decided(&self, allowed: bool, reason: &str) {
        let decision = if allowed { "allow" } else { "forbid" };
        self.annotate("authorization.k8s.io/decision", decision);
        self.annotate("authorization.k8s.io/reason", reason);
    }

    /// Notes what admission has to say.
    pub(crate) fn noted(&self, notes: &Notes) {
        let whole = self.verdict.level >= Level::Request;
        for (key, value) in &notes.annotations {
            // A patch may show what of a secret only those levels show.
            if whole || !key.starts_with(PATCHES) {
                self.annotate(key, value);
            }
        }
    }

    fn annotate(&self, key: &str, value: &str) {
        map_mut(&mut self.event.lock(), "annotations").insert(key.into(), value.into());
    }

    /// Notes what was sent.
    pub(crate) fn sent(&self, entry: &Entry, action: &Action) {
        if entry.info.gvr == TRANSACTIONS {
            return self.annotate(OPERATIONS, &operations(action));
        }
        if self.verdict.level < Level::Request {
            return;
        }
        let sent = match action {
            Action::Create(body, _) | Action::Update(body, _) => body.to_value(&entry.served),
            // A patch may be YAML, and all JSON is.
            Action::Patch(patch, _) => {
                let body = Body { bytes: patch.body.clone(), format: BodyFormat::Yaml };
                body.to_value(&entry.served)
            }
            Action::Delete(options) | Action::DeleteCollection(_, options) => {
                let mut value = json!({"kind": "DeleteOptions", "apiVersion": "v1"});
                if let (Value::Object(all), Ok(Value::Object(options))) =
                    (&mut value, serde_json::to_value(options))
                {
                    all.extend(options);
                }
                Some(value)
            }
            Action::Get | Action::List(_) | Action::Watch(_) => None,
        };
        if let Some(sent) = sent {
            self.insert("requestObject", sent);
        }
    }

    /// Notes what is answered.
    pub(crate) fn answered(&self, entry: &Entry, content: &Content) {
        if entry.info.gvr == TRANSACTIONS {
            return self.answered_parts(content);
        }
        if self.verdict.level < Level::RequestResponse {
            return;
        }
        let value = match content {
            Content::Object(object) => object.view::<Value>().ok(),
            Content::Status(status) => serde_json::to_value(status).ok(),
            Content::Watch(_) => None,
            Content::List(list) => {
                let items = list.items.iter().map(|object| object.view::<Value>());
                let items: Vec<Value> = items.filter_map(Result::ok).collect();
                Some(
                    json!({"kind": entry.info.list_kind(), "apiVersion": entry.served.api_version(),
                    "metadata": list.meta, "items": items}),
                )
            }
        };
        if let Some(value) = value {
            self.insert("responseObject", value);
        }
    }

    /// The answer begins, and will go on for long.
    pub(crate) fn started(&self, code: u16) {
        self.event.lock().insert("responseStatus".into(), response_status(code, None));
        self.write(Stage::ResponseStarted);
    }

    /// The answer is whole.
    pub(crate) fn complete(&self, code: u16, failure: Option<&Status>) {
        self.complete_parts(code, failure);
        self.event.lock().insert("responseStatus".into(), response_status(code, failure));
        if let Some(status) = failure.filter(|_| self.verdict.level == Level::RequestResponse) {
            self.insert("responseObject", serde_json::to_value(status).unwrap_or_default());
        }
        self.done.store(true, Ordering::Relaxed);
        let took = self.begun.elapsed();
        if took >= SLOW {
            self.annotate("apiserver.latency.k8s.io/total", &format!("{}ms", took.as_millis()));
        }
        self.write(Stage::ResponseComplete);
    }

    fn panicked(&self) {
        let status = Status::internal("the server panicked");
        self.event.lock().insert("responseStatus".into(), response_status(500, Some(&status)));
        self.write(Stage::Panic);
    }

    fn insert(&self, key: &str, value: Value) {
        let value = match self.verdict.omit_managed_fields {
            true => without_managed_fields(value),
            false => value,
        };
        self.event.lock().insert(key.into(), value);
    }

    /// Sends the event as it is at a stage. False when it is lost.
    fn write(&self, stage: Stage) -> bool {
        if self.verdict.level == Level::None || self.verdict.omit_stages.contains(&stage) {
            return true;
        }
        let mut event = self.event.lock();
        event.insert("stage".into(), format!("{stage:?}").into());
        event.insert("stageTimestamp".into(), micros(self.env.clock.now()).into());
        match serde_json::to_vec(&*event) {
            Ok(line) => self.audit.send(line),
            Err(error) => {
                tracing::error!(%error, "an audit event can't be written");
                false
            }
        }
    }
}

/// What a transaction does to which objects: `Update v1 Secret default/a`, ….
fn operations(action: &Action) -> String {
    let Action::Create(body, _) = action else { return String::new() };
    let posted = body.as_json().ok().and_then(|json| serde_json::from_slice(&json).ok());
    let Some(Transaction { spec, .. }) = posted else { return String::new() };
    let texts = spec.operations.iter().map(|operation| {
        let text = |field| operation.text(field).chars().take(LONGEST_NAME).collect::<String>();
        let (version, kind) = (text("apiVersion"), text("kind"));
        let part: String = operation.subresource.chars().take(LONGEST_NAME).collect();
        let slash = if part.is_empty() { "" } else { "/" };
        let (namespace, name) = (text("metadata/namespace"), text("metadata/name"));
        format!("{:?} {version} {kind}{slash}{part} {namespace}/{name}", operation.action)
    });
    texts.collect::<Vec<_>>().join(", ")
}

impl Drop for Record {
    fn drop(&mut self) {
        if self.done.load(Ordering::Relaxed) {
            return;
        }
        if std::thread::panicking() {
            return self.panicked();
        }
        let text = "request did not complete within the allotted timeout";
        self.complete(504, Some(&Status::failure(Reason::Timeout, format!("Timeout: {text}"))));
    }
}

impl Body {
    /// The body as a value, if it can be read.
    fn to_value(&self, kind: &windlass_core::scheme::GroupVersionKind) -> Option<Value> {
        match self.format {
            BodyFormat::Json | BodyFormat::Yaml => {
                serde_json::from_slice(&self.as_json().ok()?).ok()
            }
            BodyFormat::Protobuf => crate::schema::protobuf::decode(Some(kind), &self.bytes)
                .ok()
                .map(|(_, value)| value),
        }
    }
}
