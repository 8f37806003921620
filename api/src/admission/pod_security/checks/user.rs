//! Nobody is root.

use super::Violation;
use crate::admission::pod_security::subject::{Setters, Subject, named, secured};

pub(super) fn non_root(subject: &Subject<'_>) -> Option<Violation> {
    const REASON: &str = "runAsNonRoot != true";
    let root = |owner: &_| (*secured(owner, "runAsNonRoot")? == false).then(String::new);
    if let Some(names) = Setters::of(subject, root).names() {
        let detail = format!("{names} must not set securityContext.runAsNonRoot=false");
        return Violation::new(REASON, detail);
    }
    if subject.secured("runAsNonRoot").is_some() {
        return None;
    }
    let silent = subject.which(|container| secured(container, "runAsNonRoot").is_none());
    if silent.is_empty() {
        return None;
    }
    let names = named(&silent);
    Violation::new(REASON, format!("pod or {names} must set securityContext.runAsNonRoot=true"))
}

pub(super) fn non_root_or_own(subject: &Subject<'_>) -> Option<Violation> {
    if subject.has_own_users() { None } else { non_root(subject) }
}

pub(super) fn not_zero(subject: &Subject<'_>) -> Option<Violation> {
    let zero = |owner: &_| (*secured(owner, "runAsUser")? == 0).then(String::new);
    let names = Setters::of(subject, zero).names()?;
    Violation::new("runAsUser=0", format!("{names} must not set runAsUser=0"))
}

pub(super) fn not_zero_or_own(subject: &Subject<'_>) -> Option<Violation> {
    if subject.has_own_users() { None } else { not_zero(subject) }
}
