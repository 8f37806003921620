//! Errors about fields.

use serde_json::Value;
use std::fmt;
use windlass_core::meta::{Status, StatusCause};
use windlass_core::scheme::GroupVersionKind;

/// What kind of mistake it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorType {
    /// A value is missing.
    Required,
    /// A value is malformed or out of bounds.
    Invalid,
    /// A value is not one of those that are known.
    NotSupported,
    /// A value that must be unique stands there twice.
    Duplicate,
    /// The field may not be set, or not be changed.
    Forbidden,
    /// A value is too long.
    TooLong,
    /// A list has too many elements.
    TooMany,
    /// What the value names is not there.
    NotFound,
    /// A value has the wrong type.
    TypeInvalid,
    /// The server failed to find out.
    Internal,
}

/// One mistake. Displays as Kubernetes writes it: `spec.type: Invalid value: "x": why`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// What kind of mistake.
    pub kind: ErrorType,
    /// The path of the field.
    pub field: String,
    /// What is said behind the path.
    pub message: String,
}

/// All that is wrong with an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Errors(Vec<FieldError>);

// === impl ErrorType ===

impl ErrorType {
    /// The reason of a cause in a Status.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Required => "FieldValueRequired",
            Self::Invalid => "FieldValueInvalid",
            Self::NotSupported => "FieldValueNotSupported",
            Self::Duplicate => "FieldValueDuplicate",
            Self::Forbidden => "FieldValueForbidden",
            Self::TooLong => "FieldValueTooLong",
            Self::TooMany => "FieldValueTooMany",
            Self::NotFound => "FieldValueNotFound",
            Self::TypeInvalid => "FieldValueTypeInvalid",
            Self::Internal => "InternalError",
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Required => "Required value",
            Self::Invalid | Self::TypeInvalid => "Invalid value",
            Self::NotSupported => "Unsupported value",
            Self::Duplicate => "Duplicate value",
            Self::Forbidden => "Forbidden",
            Self::TooLong => "Too long",
            Self::TooMany => "Too many",
            Self::NotFound => "Not found",
            Self::Internal => "Internal error",
        }
    }
}

// === impl FieldError ===

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

// === impl Errors ===

impl Errors {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The errors in the order they were found.
    pub fn iter(&self) -> std::slice::Iter<'_, FieldError> {
        self.0.iter()
    }

    /// Adds those of another.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// A value must be there.
    pub fn required(&mut self, path: impl fmt::Display, detail: &str) {
        self.add(ErrorType::Required, path, None, detail);
    }

    /// A value is wrong, and why.
    pub fn invalid(&mut self, path: impl fmt::Display, value: impl Into<Value>, detail: &str) {
        self.add(ErrorType::Invalid, path, Some(&value.into()), detail);
    }

    /// A value is none of those that are supported.
    pub fn not_supported(&mut self, path: impl fmt::Display, value: &str, supported: &[&str]) {
        let mut sorted: Vec<_> = supported.iter().map(|known| format!("{known:?}")).collect();
        sorted.sort_unstable();
        let detail = match sorted.as_slice() {
            [] => String::new(),
            _ => format!("supported values: {}", sorted.join(", ")),
        };
        self.add(ErrorType::NotSupported, path, Some(&value.into()), &detail);
    }

    /// A value stands there a second time.
    pub fn duplicate(&mut self, path: impl fmt::Display, value: impl Into<Value>) {
        self.add(ErrorType::Duplicate, path, Some(&value.into()), "");
    }

    /// The field may not be set or changed.
    pub fn forbidden(&mut self, path: impl fmt::Display, detail: &str) {
        self.add(ErrorType::Forbidden, path, None, detail);
    }

    /// A text is longer than so many bytes.
    pub fn too_long(&mut self, path: impl fmt::Display, limit: usize) {
        let detail = format!("may not be more than {limit} bytes");
        self.add(ErrorType::TooLong, path, None, &detail);
    }

    /// A list is longer than so many elements.
    pub fn too_many(&mut self, path: impl fmt::Display, actual: usize, limit: usize) {
        let detail = format!("must have at most {limit} item{}", if limit == 1 { "" } else { "s" });
        self.add(ErrorType::TooMany, path, Some(&actual.into()), &detail);
    }

    /// What a value names is not there.
    pub fn not_found(&mut self, path: impl fmt::Display, value: impl Into<Value>) {
        self.add(ErrorType::NotFound, path, Some(&value.into()), "");
    }

    /// The `Invalid` Status for an object of this kind.
    #[must_use]
    pub fn into_status(self, gvk: &GroupVersionKind, name: &str) -> Status {
        Status::invalid(&gvk.group, &gvk.kind, name, self.into())
    }

    /// `Ok` when nothing is wrong.
    ///
    /// # Errors
    /// The `Invalid` Status that names all mistakes.
    pub fn check(self, gvk: &GroupVersionKind, name: &str) -> Result<(), Box<Status>> {
        if self.is_empty() { Ok(()) } else { Err(Box::new(self.into_status(gvk, name))) }
    }

    /// A value is none of those that are supported, which are named in this order.
    pub(crate) fn unsupported(
        &mut self,
        path: impl fmt::Display,
        value: &Value,
        supported: &[&str],
    ) {
        let known: Vec<_> = supported.iter().map(|known| format!("{known:?}")).collect();
        let detail = format!("supported values: {}", known.join(", "));
        self.add(ErrorType::NotSupported, path, Some(value), &detail);
    }

    /// Adds an error about a part of what stands at this path.
    pub(crate) fn add_at(&mut self, path: impl fmt::Display, error: FieldError) {
        self.0.push(FieldError { field: format!("{path}.{}", error.field), ..error });
    }

    /// Brings them into the order of their texts.
    pub(crate) fn sort(&mut self) {
        self.0.sort_by_cached_key(ToString::to_string);
    }

    /// Adds one of any kind.
    pub(crate) fn add(
        &mut self,
        kind: ErrorType,
        path: impl fmt::Display,
        value: Option<&Value>,
        detail: &str,
    ) {
        let mut message = kind.text().to_owned();
        if let Some(value) = value {
            message = format!("{message}: {}", shown(value));
        }
        if !detail.is_empty() {
            message = format!("{message}: {detail}");
        }
        self.0.push(FieldError { kind, field: path.to_string(), message });
    }
}

impl From<Errors> for Vec<StatusCause> {
    fn from(errors: Errors) -> Self {
        let cause = |error: FieldError| StatusCause {
            reason: error.kind.reason().into(),
            message: error.message,
            field: error.field,
        };
        errors.0.into_iter().map(cause).collect()
    }
}

impl IntoIterator for Errors {
    type Item = FieldError;
    type IntoIter = std::vec::IntoIter<FieldError>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Errors {
    type Item = &'a FieldError;
    type IntoIter = std::slice::Iter<'a, FieldError>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// A value as it stands in a message: strings in quotes, objects as JSON, nothing as `null`.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => format!("{text:?}"),
        // As Kubernetes writes it, quotes and all.
        Value::Null => "\"null\"".into(),
        other => other.to_string(),
    }
}
