//! SELinux keeps containers apart.

use super::Violation;
use crate::admission::pod_security::subject::{Setters, Subject, plural, quoted, secured};
use crate::strategy::Map;
use serde_json::Value;

const FIRST: [&str; 4] = ["", "container_t", "container_init_t", "container_kvm_t"];
const WITH_ENGINE: [&str; 5] =
    ["", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"];

pub(super) fn first(subject: &Subject<'_>) -> Option<Violation> {
    check(subject, &FIRST)
}

pub(super) fn with_engine(subject: &Subject<'_>) -> Option<Violation> {
    check(subject, &WITH_ENGINE)
}

fn check(subject: &Subject<'_>, types: &[&str]) -> Option<Violation> {
    let bad_type = |owner: &Map| option(owner, "type").filter(|it| !types.contains(&&**it));
    let set = |field: &str| {
        let set = |owner: &Map| option(owner, field).filter(|value| !value.is_empty());
        Setters::of(subject, set).names().is_some()
    };
    let wrong = Setters::of(subject, |owner| {
        let set = ["user", "role"].into_iter().filter_map(|field| option(owner, field));
        let mut set = set.filter(|value| !value.is_empty());
        bad_type(owner).or_else(|| set.next())
    });
    let names = wrong.names()?;
    let values = Setters::of(subject, bad_type).values;
    let mut what = Vec::new();
    if !values.is_empty() {
        what.push(format!("{} {}", plural("type", values.len()), quoted(&values)));
    }
    for field in ["user", "role"] {
        if set(field) {
            what.push(format!("{field} may not be set"));
        }
    }
    let what = what.join("; ");
    let detail = format!("{names} set forbidden securityContext.seLinuxOptions: {what}");
    Violation::new("seLinuxOptions", detail)
}

/// One of the options, empty when it is not set; none when there are no options.
fn option(owner: &Map, field: &str) -> Option<String> {
    let options = secured(owner, "seLinuxOptions")?;
    Some(options.get(field).and_then(Value::as_str).unwrap_or_default().to_owned())
}
