//! What is taken for an answer, and what a user is told of a no.

use crate::webhook::WebhookError;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use windlass_core::meta::{Reason, Status};

const KIND: &str = "AdmissionReview";

/// An answer that was understood.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) allowed: bool,
    /// Why not.
    pub(super) status: Option<Value>,
    /// A JSON patch.
    pub(super) patch: Option<Vec<u8>>,
    pub(super) annotations: BTreeMap<String, String>,
    pub(super) warnings: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Review {
    kind: String,
    api_version: String,
    response: Option<Response>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Response {
    uid: String,
    allowed: bool,
    status: Option<Value>,
    patch: Option<Encoded>,
    patch_type: Option<String>,
    audit_annotations: Option<BTreeMap<String, String>>,
    warnings: Option<Vec<String>>,
}

/// Bytes as Go reads them: base64, or a list of numbers (so the `kube` crate writes them).
#[derive(Deserialize)]
#[serde(untagged)]
enum Encoded {
    Base64(String),
    Bytes(Vec<u8>),
}

/// Reads an answer; what is wrong with it otherwise.
pub(super) fn read(
    version: &str,
    uid: &str,
    mutating: bool,
    body: &[u8],
) -> Result<Answer, String> {
    let review: Review = serde_json::from_slice(body).map_err(|error| {
        format!("failed to call webhook: couldn't get version/kind; json parse error: {error}")
    })?;
    let invalid = |why: String| format!("received invalid webhook response: {why}");
    if version == "v1" {
        check(&review, uid, mutating).map_err(invalid)?;
    }
    let response =
        review.response.ok_or_else(|| invalid("webhook response was absent".to_owned()))?;
    let patch = response.patch.filter(|patch| mutating && !patch.is_empty());
    let patch = patch.map(Encoded::decode).transpose().map_err(|error| {
        format!("failed to call webhook: illegal base64 data in response.patch: {error}")
    })?;
    if let Some(other) = response.patch_type.as_deref().filter(|ty| *ty != "JSONPatch")
        && patch.is_some()
        && version == "v1"
    {
        return Err(format!("unsupported patch type {other:?}"));
    }
    Ok(Answer {
        allowed: response.allowed,
        status: response.status,
        patch,
        annotations: response.audit_annotations.unwrap_or_default(),
        warnings: response.warnings.unwrap_or_default(),
    })
}

/// What must hold of an answer in v1; v1beta1 asks for less.
fn check(review: &Review, uid: &str, mutating: bool) -> Result<(), String> {
    let response = review.response.as_ref().ok_or("webhook response was absent")?;
    if response.uid != uid {
        return Err(format!("expected response.uid={uid:?}, got {:?}", response.uid));
    }
    if (review.api_version.as_str(), review.kind.as_str()) != ("admission.k8s.io/v1", KIND) {
        return Err(format!(
            "expected webhook response of admission.k8s.io/v1, Kind={KIND}, got {}, Kind={}",
            review.api_version, review.kind
        ));
    }
    let patch = response.patch.as_ref().is_some_and(|patch| !patch.is_empty());
    let why = match (mutating, patch, response.patch_type.as_deref()) {
        (true, true, None) => "webhook returned response.patch but not response.patchType",
        (true, false, Some(_)) => "webhook returned response.patchType but not response.patch",
        (true, true, Some("")) => "webhook returned invalid response.patchType of \"\"",
        (false, true, _) => "validating webhook may not return response.patch",
        (false, _, Some(_)) => "validating webhook may not return response.patchType",
        _ => return Ok(()),
    };
    Err(why.to_owned())
}

// === impl Encoded ===

impl Encoded {
    fn is_empty(&self) -> bool {
        match self {
            Self::Base64(text) => text.is_empty(),
            Self::Bytes(bytes) => bytes.is_empty(),
        }
    }

    fn decode(self) -> Result<Vec<u8>, base64::DecodeError> {
        match self {
            Self::Base64(text) => STANDARD.decode(text),
            Self::Bytes(bytes) => Ok(bytes),
        }
    }
}

/// The refusal of a webhook, as the user is told.
pub(super) fn refusal(hook: &str, given: Option<Value>) -> Status {
    let denied = format!("admission webhook {hook:?} denied the request");
    let given = given.unwrap_or_default();
    let text = |key: &str| given[key].as_str().unwrap_or_default();
    let message = match (text("message"), text("reason")) {
        ("", "") => format!("{denied} without explanation"),
        ("", reason) => format!("{denied}: {reason}"),
        (message, _) => format!("{denied}: {message}"),
    };
    let reason = serde_json::from_value(given["reason"].clone()).unwrap_or(Reason::Unknown);
    let mut status = Status::failure(reason, message);
    let code = given["code"].as_u64().and_then(|code| u16::try_from(code).ok());
    status.code = code.filter(|code| (400..600).contains(code)).unwrap_or(400);
    status.details = serde_json::from_value(given["details"].clone()).unwrap_or_default();
    status
}

/// Why a webhook gave no answer, in the words of Kubernetes' client.
pub(super) fn failed(error: &WebhookError) -> String {
    match error {
        WebhookError::Config(why) => format!("could not get REST client: {why}"),
        WebhookError::Refused { code, text, .. } => {
            format!("failed to call webhook: {}", by_code(*code, text.trim()))
        }
        other => format!("failed to call webhook: {other}"),
    }
}

fn by_code(code: StatusCode, text: &str) -> String {
    let known = match code.as_u16() {
        400 => "the server rejected our request for an unknown reason",
        401 => "the server has asked for the client to provide credentials",
        403 | 409 | 413 if !text.is_empty() => text,
        404 => "the server could not find the requested resource",
        405 => "the server does not allow this method on the requested resource",
        406 => "the server was unable to respond with a content type that the client supports",
        409 => "the server reported a conflict",
        415 => "the body of the request was in an unknown format",
        422 => "the server rejected our request due to an error in our request",
        429 => "the server has received too many requests and has asked us to try again later",
        503 => "the server is currently unable to handle the request",
        504 => {
            "the server was unable to return a response in the time allotted, but may still be processing the request"
        }
        code if code >= 500 => {
            let text = if text.is_empty() { "unknown" } else { text };
            return format!(
                "an error on the server ({text:?}) has prevented the request from succeeding"
            );
        }
        _ => {
            return format!(
                "the server responded with the status code {} but did not return more information",
                code.as_u16()
            );
        }
    };
    known.to_owned()
}
