//! Few capabilities are added; none are kept.

use super::Violation;
use crate::admission::pod_security::subject::{Subject, named, quoted, secured};
use crate::strategy::Map;
use serde_json::Value;
use std::collections::BTreeSet;

/// What containers have anyway.
const USUAL: [&str; 13] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

pub(super) fn baseline(subject: &Subject<'_>) -> Option<Violation> {
    let detail = added_beside(subject, &USUAL)?;
    Violation::new("non-default capabilities", detail)
}

pub(super) fn restricted(subject: &Subject<'_>) -> Option<Violation> {
    let keeps = subject.which(|container| !list(container, "drop").any(|one| one == "ALL"));
    let keeps = (!keeps.is_empty()).then(|| {
        let names = named(&keeps);
        format!("{names} must set securityContext.capabilities.drop=[\"ALL\"]")
    });
    let wrong: Vec<_> =
        keeps.into_iter().chain(added_beside(subject, &["NET_BIND_SERVICE"])).collect();
    if wrong.is_empty() {
        return None;
    }
    Violation::new("unrestricted capabilities", wrong.join("; "))
}

pub(super) fn restricted_but_windows(subject: &Subject<'_>) -> Option<Violation> {
    if subject.is_windows() { None } else { restricted(subject) }
}

fn added_beside(subject: &Subject<'_>, allowed: &[&str]) -> Option<String> {
    let added = |container: &Map| list(container, "add").any(|one| !allowed.contains(&one));
    let names = subject.which(added);
    if names.is_empty() {
        return None;
    }
    let all = subject.containers().flat_map(|container| list(container, "add"));
    let bad: BTreeSet<_> = all.filter(|one| !allowed.contains(one)).collect();
    let (names, bad) = (named(&names), quoted(bad));
    Some(format!("{names} must not include {bad} in securityContext.capabilities.add"))
}

fn list<'a>(container: &'a Map, which: &str) -> impl Iterator<Item = &'a str> + use<'a> {
    let list = secured(container, "capabilities").and_then(|all| all.get(which)?.as_array());
    list.into_iter().flatten().filter_map(Value::as_str)
}
