//! Several writes that happen together or not at all.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What is posted to [`crate::scheme::TRANSACTIONS`]: `windlass.dev/v1alpha1`, kind `Transaction`.
/// Kubernetes has nothing like it.
///
/// The operations see what those before them did. Each is authorized, admitted and validated as if
/// it came alone. Either all of them are in the store, at one resource version, or none is; who
/// watches sees them in one go. With `dryRun` none is kept.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Transaction {
    /// What to do.
    pub spec: TransactionSpec,
    /// What came of it; the server fills it in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<TransactionStatus>,
}

/// The operations of a [`Transaction`].
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TransactionSpec {
    /// In this order; 1 to 256 of them.
    pub operations: Vec<Operation>,
}

/// What came of a [`Transaction`].
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TransactionStatus {
    /// The version of everything that was written.
    pub resource_version: String,
    /// For each operation its object; null for one that is gone.
    pub results: Vec<Option<Value>>,
}

/// One operation of a [`Transaction`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Operation {
    /// What to do with the object.
    pub action: Action,
    /// The object, whole for `Create`, `Update` and `Apply`; otherwise `apiVersion`, `kind`, and of its
    /// metadata the name and namespace. Preconditions of all but `Create` and `Apply` are its `uid` and
    /// `resourceVersion`, when they are given.
    pub object: Map<String, Value>,
    /// `status`, or another part that is written by itself; mostly empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subresource: String,
    /// The change, for `Patch`: a JSON merge patch (RFC 7386).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch: Option<Value>,
    /// Takes fields from other managers, for `Apply`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
}

/// What an [`Operation`] does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// Changes nothing: the object must be there, and stay as it is until all is done.
    #[default]
    Check,
    /// Makes it.
    Create,
    /// Replaces it.
    Update,
    /// Applies it on the server's side: makes it, or changes the fields it has.
    Apply,
    /// Changes the parts that `patch` names.
    Patch,
    /// Deletes it, in the background for what it owns.
    Delete,
}

// === impl Operation ===

impl Operation {
    /// An operation on an object.
    #[must_use]
    pub fn new(action: Action, object: Map<String, Value>) -> Self {
        Self { action, object, ..Self::default() }
    }

    /// A string of its object, at the top or, after `metadata/`, in its metadata; empty when there is none.
    #[must_use]
    pub fn text(&self, field: &str) -> &str {
        let found = match field.strip_prefix("metadata/") {
            Some(field) => self.object.get("metadata").and_then(|meta| meta.get(field)),
            None => self.object.get(field),
        };
        found.and_then(Value::as_str).unwrap_or_default()
    }
}
