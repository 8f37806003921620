//! `metav1.Status`: how the API says that something failed (API reference, "Status").

mod reason;

pub use reason::Reason;

use serde::{Deserialize, Serialize};

/// An answer that is not an object. Serializes as `metav1.Status`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Always `Status`.
    #[serde(default = "kind")]
    pub kind: String,
    /// Always `v1`.
    #[serde(default = "api_version")]
    pub api_version: String,
    /// Always empty here; clients expect it to be there.
    #[serde(default)]
    pub metadata: serde_json::Map<String, serde_json::Value>,
    /// `Success` or `Failure`.
    #[serde(default)]
    pub status: String,
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// For programs.
    #[serde(default, skip_serializing_if = "Reason::is_unknown")]
    pub reason: Reason,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<StatusDetails>,
    /// HTTP status code.
    #[serde(default)]
    pub code: u16,
}

/// What a Status is about.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StatusDetails {
    /// Name of the object.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Its API group.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// Its kind, or its resource.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// Its uid.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub uid: String,
    /// Single causes, each with the field it is about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<StatusCause>,
    /// Seconds to wait before trying again; 0 when nothing is said.
    #[serde(skip_serializing_if = "is_zero")]
    pub retry_after_seconds: u32,
}

/// One of several causes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StatusCause {
    /// `FieldValueRequired`, `FieldValueInvalid`, …
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// For people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Path of the field: `spec.containers[0].name`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub field: String,
}

// === impl Status ===

impl Status {
    /// A failure with the HTTP code that belongs to `reason`.
    pub fn failure(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            kind: kind(),
            api_version: api_version(),
            metadata: serde_json::Map::new(),
            status: "Failure".into(),
            message: message.into(),
            code: reason.code(),
            reason,
            details: None,
        }
    }

    /// A success that is about `details`, code 200.
    #[must_use]
    pub fn success(details: Option<StatusDetails>) -> Self {
        let base = Self::failure(Reason::Unknown, "");
        Self { status: "Success".into(), code: 200, details, ..base }
    }

    /// The same with details.
    #[must_use]
    pub fn about(mut self, group: &str, kind: &str, name: &str) -> Self {
        let details = self.details.get_or_insert_default();
        (details.group, details.kind, details.name) = (group.into(), kind.into(), name.into());
        self
    }

    /// The same with a hint to retry after so many seconds.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.details.get_or_insert_default().retry_after_seconds = seconds;
        self
    }

    /// `pods "a" not found`.
    #[must_use]
    pub fn not_found(group: &str, resource: &str, name: &str) -> Self {
        let text = format!("{} \"{name}\" not found", qualified(group, resource));
        Self::failure(Reason::NotFound, text).about(group, resource, name)
    }

    /// `pods "a" already exists`.
    #[must_use]
    pub fn already_exists(group: &str, resource: &str, name: &str) -> Self {
        let text = format!("{} \"{name}\" already exists", qualified(group, resource));
        Self::failure(Reason::AlreadyExists, text).about(group, resource, name)
    }

    /// `Operation cannot be fulfilled on pods "a": why`.
    #[must_use]
    pub fn conflict(group: &str, resource: &str, name: &str, why: &str) -> Self {
        let what = qualified(group, resource);
        let text = format!("Operation cannot be fulfilled on {what} \"{name}\": {why}");
        Self::failure(Reason::Conflict, text).about(group, resource, name)
    }

    /// `pods "a" is forbidden: why`.
    #[must_use]
    pub fn forbidden(group: &str, resource: &str, name: &str, why: &str) -> Self {
        let what = qualified(group, resource);
        let text = match name {
            "" => format!("{what} is forbidden: {why}"),
            _ => format!("{what} \"{name}\" is forbidden: {why}"),
        };
        Self::failure(Reason::Forbidden, text).about(group, resource, name)
    }

    /// `Pod "a" is invalid: …` with one cause for each field error.
    #[must_use]
    pub fn invalid(group: &str, kind: &str, name: &str, causes: Vec<StatusCause>) -> Self {
        let texts: Vec<_> = causes.iter().map(|c| format!("{}: {}", c.field, c.message)).collect();
        let list = match texts.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let text = format!("{} \"{name}\" is invalid: {list}", qualified(group, kind));
        let mut status = Self::failure(Reason::Invalid, text).about(group, kind, name);
        status.details.get_or_insert_default().causes = causes;
        status
    }

    /// The request can't be understood.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::failure(Reason::BadRequest, message)
    }

    /// A fault of the server. The message is shown to the user.
    pub fn internal(message: impl std::fmt::Display) -> Self {
        let message = message.to_string();
        let cause = StatusCause { message: message.clone(), ..StatusCause::default() };
        let text = format!("Internal error occurred: {message}");
        let mut status = Self::failure(Reason::InternalError, text);
        status.details.get_or_insert_default().causes.push(cause);
        status
    }

    /// The resource version is too old: list again.
    pub fn expired(message: impl Into<String>) -> Self {
        Self::failure(Reason::Expired, message)
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Status {}

fn qualified(group: &str, resource: &str) -> String {
    if group.is_empty() { resource.into() } else { format!("{resource}.{group}") }
}

fn kind() -> String {
    "Status".into()
}

fn api_version() -> String {
    "v1".into()
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(seconds: &u32) -> bool {
    *seconds == 0
}

#[cfg(test)]
mod tests;
