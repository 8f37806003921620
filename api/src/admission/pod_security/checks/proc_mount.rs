//! `/proc` stays masked.

use super::Violation;
use crate::admission::pod_security::subject::{Subject, named, quoted, secured};
use crate::strategy::Map;
use serde_json::Value;
use std::collections::BTreeSet;

pub(super) fn strict(subject: &Subject<'_>) -> Option<Violation> {
    fn bad(container: &Map) -> Option<&str> {
        let value = secured(container, "procMount").and_then(Value::as_str);
        value.filter(|value| *value != "Default")
    }
    let names = subject.which(|container| bad(container).is_some());
    if names.is_empty() {
        return None;
    }
    let values: BTreeSet<_> = subject.containers().filter_map(bad).collect();
    let (names, values) = (named(&names), quoted(values));
    let detail = format!("{names} must not set securityContext.procMount to {values}");
    Violation::new("procMount", detail)
}

/// What users of their own see does no harm.
pub(super) fn relaxed(subject: &Subject<'_>) -> Option<Violation> {
    if subject.has_own_users() { None } else { strict(subject) }
}
