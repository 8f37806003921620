//! What is read of a CertificateSigningRequest.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub(super) const APPROVED: &str = "Approved";
pub(super) const DENIED: &str = "Denied";
pub(super) const FAILED: &str = "Failed";

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CsrView {
    metadata: Metadata,
    pub(super) spec: Spec,
    pub(super) status: Status,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Metadata {
    creation_timestamp: Option<Timestamp>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Spec {
    request: String,
    pub(super) signer_name: String,
    pub(super) usages: Vec<String>,
    pub(super) expiration_seconds: Option<i64>,
    pub(super) username: String,
    pub(super) uid: String,
    pub(super) groups: Vec<String>,
    pub(super) extra: BTreeMap<String, Vec<String>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Status {
    pub(super) certificate: Option<String>,
    pub(super) conditions: Vec<Condition>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Condition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
    pub(super) last_update_time: Option<Timestamp>,
}

// === impl CsrView ===

impl CsrView {
    /// The condition of this type that is true. In this kind one without a status is.
    pub(super) fn condition(&self, kind: &str) -> Option<&Condition> {
        let holds = |one: &&Condition| one.kind == kind && matches!(&*one.status, "True" | "");
        self.status.conditions.iter().find(holds)
    }

    pub(super) fn created(&self) -> Option<Timestamp> {
        self.metadata.creation_timestamp
    }

    pub(super) fn is_settled(&self) -> bool {
        self.condition(APPROVED).is_some() || self.condition(DENIED).is_some()
    }

    /// The certificate it got, if it did: PEM.
    pub(super) fn certificate(&self) -> Option<String> {
        decoded(self.status.certificate.as_deref().filter(|given| !given.is_empty())?)
    }

    /// The request itself: PEM.
    pub(super) fn request(&self) -> String {
        decoded(&self.spec.request).unwrap_or_default()
    }
}

fn decoded(text: &str) -> Option<String> {
    String::from_utf8(STANDARD.decode(text).ok()?).ok()
}

/// A condition as it is written.
pub(super) fn condition(kind: &str, reason: &str, message: &str, now: Timestamp) -> Value {
    let now = now.to_string();
    json!({"type": kind, "status": "True", "reason": reason, "message": message,
        "lastUpdateTime": now, "lastTransitionTime": now})
}
