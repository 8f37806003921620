//! Events as they are written (`audit.k8s.io/v1`, Event).

use crate::authentication::User;
use http::HeaderMap;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::net::SocketAddr;
use windlass_core::clock::Env;
use windlass_core::meta::Status;
use windlass_core::request::ResourceTarget;

/// The header that names an event, both ways.
const AUDIT_ID: &str = "audit-id";
/// An id or agent that a client names is cut off here.
const LONGEST: usize = 64;
const LONGEST_AGENT: usize = 1024;

/// Where a request comes from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origin {
    pub(crate) uri: String,
    pub(crate) sources: Vec<String>,
    pub(crate) agent: String,
    /// Who sent it, when he is somebody else for this request.
    pub(crate) impersonator: Option<User>,
}

// === impl Origin ===

impl Origin {
    /// Of a request over HTTP.
    pub(crate) fn http(parts: &http::request::Parts, impersonator: Option<User>) -> Self {
        let text = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let forwarded = text("x-forwarded-for").unwrap_or_default().split(',').map(str::trim);
        let mut sources: Vec<String> =
            forwarded.filter(|one| !one.is_empty()).take(16).map(str::to_owned).collect();
        if let Some(peer) = parts.extensions.get::<SocketAddr>() {
            sources.push(peer.ip().to_string());
        }
        let agent = text("user-agent").unwrap_or_default().chars().take(LONGEST_AGENT).collect();
        let uri = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
        Self { uri, sources, agent, impersonator }
    }
}

/// The id that a request names, or a new one.
pub(crate) fn audit_id(headers: &HeaderMap, env: &Env) -> String {
    let given = headers.get(AUDIT_ID).and_then(|value| value.to_str().ok());
    match given.filter(|given| !given.is_empty()) {
        Some(given) => given.chars().take(LONGEST).collect(),
        None => env.uuid(),
    }
}

/// What all events of a request say.
pub(super) fn common(
    id: &str,
    level: &str,
    origin: &Origin,
    user: &User,
    verb: &str,
    now: Timestamp,
) -> Map<String, Value> {
    let mut event = json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": level, "auditID": id, "stage": "",
        "requestURI": origin.uri, "verb": verb,
        "user": who(origin.impersonator.as_ref().unwrap_or(user)),
    });
    if origin.impersonator.is_some() {
        event["impersonatedUser"] = who(user);
    }
    if !origin.sources.is_empty() {
        event["sourceIPs"] = json!(origin.sources);
    }
    if !origin.agent.is_empty() {
        event["userAgent"] = origin.agent.as_str().into();
    }
    event["requestReceivedTimestamp"] = micros(now).into();
    match event {
        Value::Object(event) => event,
        _ => Map::new(),
    }
}

fn who(user: &User) -> Value {
    let mut who = json!({"username": user.name});
    if !user.uid.is_empty() {
        who["uid"] = user.uid.as_str().into();
    }
    who["groups"] = json!(user.groups);
    if !user.extra.is_empty() {
        who["extra"] = json!(user.extra);
    }
    who
}

/// What a request is about.
pub(super) fn object_ref(target: &ResourceTarget) -> Value {
    let gvr = &target.resource;
    let mut about = Map::new();
    for (key, value) in [
        ("resource", Some(&*gvr.resource)),
        ("namespace", target.namespace.as_deref()),
        ("name", target.name.as_deref()),
        ("apiGroup", Some(&*gvr.group)),
        ("apiVersion", Some(&*gvr.version)),
        ("subresource", target.subresource.as_deref()),
    ] {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            about.insert(key.into(), value.into());
        }
    }
    about.into()
}

/// What came of it, in short.
pub(super) fn response_status(code: u16, status: Option<&Status>) -> Value {
    let mut short = json!({"metadata": {}});
    if let Some(status) = status {
        short["status"] = status.status.as_str().into();
        if !status.message.is_empty() {
            short["message"] = status.message.as_str().into();
        }
        if !status.reason.as_str().is_empty() {
            short["reason"] = status.reason.as_str().into();
        }
    }
    short["code"] = code.into();
    short
}

pub(super) fn micros(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

/// The same without `metadata.managedFields`, also in the items of a list.
pub(super) fn without_managed_fields(mut value: Value) -> Value {
    let strip = |object: &mut Value| {
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.shift_remove("managedFields");
        }
    };
    strip(&mut value);
    if let Some(items) = value.get_mut("items").and_then(Value::as_array_mut) {
        items.iter_mut().for_each(strip);
    }
    value
}
