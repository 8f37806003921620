//! System calls are filtered.

use super::Violation;
use crate::admission::pod_security::subject::{Setters, Subject, named, plural, quoted, secured};
use crate::strategy::json::str_of;
use std::collections::BTreeSet;

const OF_POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
const OF_CONTAINER: &str = "container.seccomp.security.alpha.kubernetes.io/";

/// How it was said before there was a field.
pub(super) fn annotations(subject: &Subject<'_>) -> Option<Violation> {
    let containers: BTreeSet<_> =
        subject.containers().map(|one| format!("{OF_CONTAINER}{}", str_of(one, "name"))).collect();
    let bad: BTreeSet<_> = subject
        .annotations()
        .filter(|(key, _)| *key == OF_POD || containers.contains(*key))
        .filter(|(_, value)| {
            !matches!(*value, "runtime/default" | "docker/default")
                && !value.starts_with("localhost/")
        })
        .map(|(key, value)| format!("{key}={value:?}"))
        .collect();
    if bad.is_empty() {
        return None;
    }
    let what = plural("annotation", bad.len());
    let bad: Vec<_> = bad.into_iter().collect();
    Violation::new("seccompProfile", format!("forbidden {what} {}", bad.join(", ")))
}

pub(super) fn baseline(subject: &Subject<'_>) -> Option<Violation> {
    let bad = Setters::of(subject, |owner| {
        let kind = secured(owner, "seccompProfile")?["type"].as_str().unwrap_or_default();
        (!is_allowed(kind)).then(|| kind.to_owned())
    });
    let (names, values) = (bad.names()?, quoted(&bad.values));
    let detail = format!("{names} must not set securityContext.seccompProfile.type to {values}");
    Violation::new("seccompProfile", detail)
}

pub(super) fn restricted(subject: &Subject<'_>) -> Option<Violation> {
    if let Some(violation) = baseline(subject) {
        return Some(violation);
    }
    if subject.secured("seccompProfile").is_some() {
        return None;
    }
    let silent = subject.which(|container| secured(container, "seccompProfile").is_none());
    if silent.is_empty() {
        return None;
    }
    let detail = format!(
        "pod or {} must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\"",
        named(&silent)
    );
    Violation::new("seccompProfile", detail)
}

pub(super) fn restricted_but_windows(subject: &Subject<'_>) -> Option<Violation> {
    if subject.is_windows() { None } else { restricted(subject) }
}

fn is_allowed(kind: &str) -> bool {
    matches!(kind, "RuntimeDefault" | "Localhost")
}
