//! Nobody is the master of the machine, or becomes it.

use super::Violation;
use crate::admission::pod_security::subject::{Subject, named, secured};
use serde_json::Value;

pub(super) fn privileged(subject: &Subject<'_>) -> Option<Violation> {
    let is = |value: Option<&Value>| value == Some(&Value::Bool(true));
    let names = subject.which(|container| is(secured(container, "privileged")));
    if names.is_empty() {
        return None;
    }
    let detail = format!("{} must not set securityContext.privileged=true", named(&names));
    Violation::new("privileged", detail)
}

pub(super) fn escalation(subject: &Subject<'_>) -> Option<Violation> {
    let may = |value: Option<&Value>| value != Some(&Value::Bool(false));
    let names = subject.which(|container| may(secured(container, "allowPrivilegeEscalation")));
    if names.is_empty() {
        return None;
    }
    let names = named(&names);
    let detail = format!("{names} must set securityContext.allowPrivilegeEscalation=false");
    Violation::new("allowPrivilegeEscalation != false", detail)
}

pub(super) fn escalation_but_windows(subject: &Subject<'_>) -> Option<Violation> {
    if subject.is_windows() { None } else { escalation(subject) }
}
