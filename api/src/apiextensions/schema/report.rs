//! What a check of a value found.

use crate::validation::{ErrorType, Errors, Path};
use serde_json::Value;
use std::fmt::Display;

/// The mistakes of a value, and how many checks went over it: of several alternatives the one with most is
/// the one that was meant.
#[derive(Debug, Default)]
pub(super) struct Report {
    issues: Vec<Issue>,
    pub(super) matches: usize,
}

#[derive(Debug, PartialEq)]
struct Issue {
    /// The place, from where the check began. None for what is said of a whole.
    field: Option<String>,
    kind: ErrorType,
    value: Option<Value>,
    detail: String,
}

// === impl Report ===

impl Report {
    pub(super) fn is_ok(&self) -> bool {
        self.issues.is_empty()
    }

    pub(super) fn forgive(&mut self) {
        self.issues.clear();
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.matches += other.matches;
        for issue in other.issues {
            self.push(issue);
        }
    }

    pub(super) fn required(&mut self, path: &Path<'_>) {
        self.add(path, ErrorType::Required, None, String::new());
    }

    pub(super) fn invalid(&mut self, path: &Path<'_>, value: &Value, wanted: impl Display) {
        let detail = format!("{path} in body {wanted}");
        self.add(path, ErrorType::Invalid, Some(value.clone()), detail);
    }

    pub(super) fn type_invalid(&mut self, path: &Path<'_>, value: &str, wanted: &str) {
        let detail = format!("{path} in body must be of type {wanted}: {value:?}");
        self.add(path, ErrorType::TypeInvalid, Some(value.into()), detail);
    }

    pub(super) fn add(
        &mut self,
        path: &Path<'_>,
        kind: ErrorType,
        value: Option<Value>,
        detail: String,
    ) {
        self.push(Issue { field: Some(path.to_string()), kind, value, detail });
    }

    /// What Kubernetes says without naming the field.
    pub(super) fn whole(&mut self, detail: String) {
        let value = Some(Value::from(""));
        self.push(Issue { field: None, kind: ErrorType::Invalid, value, detail });
    }

    /// Adds the mistakes, their paths put behind that of the value.
    pub(super) fn write(self, at: Option<&Path<'_>>, errors: &mut Errors) {
        for issue in self.issues {
            let field = match (at, issue.field.as_deref()) {
                (None, None | Some("")) => "<nil>".to_owned(),
                (None, Some(field)) => field.to_owned(),
                (Some(at), None | Some("")) => at.to_string(),
                (Some(at), Some(field)) => format!("{at}.{field}"),
            };
            errors.add(issue.kind, field, issue.value.as_ref(), &issue.detail);
        }
    }

    fn push(&mut self, issue: Issue) {
        if !self.issues.contains(&issue) {
            self.issues.push(issue);
        }
    }
}
