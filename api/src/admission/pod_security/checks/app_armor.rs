//! AppArmor is not switched off.

use super::Violation;
use crate::admission::pod_security::subject::{Setters, Subject, plural, quoted, secured};
use std::collections::BTreeSet;

const ANNOTATION: &str = "container.apparmor.security.beta.kubernetes.io/";

pub(super) fn check(subject: &Subject<'_>) -> Option<Violation> {
    let bad = Setters::of(subject, |owner| {
        let kind = secured(owner, "appArmorProfile")?["type"].as_str().unwrap_or_default();
        (!matches!(kind, "RuntimeDefault" | "Localhost")).then(|| kind.to_owned())
    });
    let annotations: BTreeSet<_> = subject
        .annotations()
        .filter(|(key, value)| key.starts_with(ANNOTATION) && !is_allowed(value))
        .map(|(key, value)| format!("{key}={value:?}"))
        .collect();
    let mut names: Vec<_> = bad.names().into_iter().collect();
    if !annotations.is_empty() {
        names.push(plural("annotation", annotations.len()));
    }
    if names.is_empty() {
        return None;
    }
    let values: Vec<_> = bad.values.into_iter().chain(annotations).collect();
    let (names, list) = (names.join(" and "), quoted(&values));
    let detail = format!("{names} must not set AppArmor profile type to {list}");
    Violation::new(plural("forbidden AppArmor profile", values.len()), detail)
}

fn is_allowed(profile: &str) -> bool {
    matches!(profile, "" | "runtime/default") || profile.starts_with("localhost/")
}
