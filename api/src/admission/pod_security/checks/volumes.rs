//! Volumes are of kinds that do no harm.

use super::Violation;
use crate::admission::pod_security::subject::{Subject, plural, quoted};
use crate::strategy::Map;
use crate::strategy::json::{is_nil, maps_of, str_of};
use std::collections::BTreeSet;

const HARMLESS: [&str; 9] = [
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
];

pub(super) fn host_path(subject: &Subject<'_>) -> Option<Violation> {
    let names = which(subject, |volume| !is_nil(volume, "hostPath"));
    if names.is_empty() {
        return None;
    }
    let detail = format!("{} {}", plural("volume", names.len()), quoted(&names));
    Violation::new("hostPath volumes", detail)
}

pub(super) fn restricted(subject: &Subject<'_>) -> Option<Violation> {
    let harmless = |volume: &Map| HARMLESS.iter().any(|kind| !is_nil(volume, kind));
    let names = which(subject, |volume| !harmless(volume));
    if names.is_empty() {
        return None;
    }
    let bad = maps_of(subject.spec, "volumes").filter(|(_, volume)| !harmless(volume));
    let kinds: BTreeSet<_> = bad.map(|(_, volume)| kind(volume)).collect();
    let (uses, what) = match names.len() {
        1 => ("uses", plural("restricted volume type", kinds.len())),
        _ => ("use", plural("restricted volume type", kinds.len())),
    };
    let volumes = plural("volume", names.len());
    let detail = format!("{volumes} {} {uses} {what} {}", quoted(&names), quoted(kinds));
    Violation::new("restricted volume types", detail)
}

fn which<'a>(subject: &Subject<'a>, holds: impl Fn(&Map) -> bool) -> Vec<&'a str> {
    let all = maps_of(subject.spec, "volumes").filter(|(_, volume)| holds(volume));
    all.map(|(_, volume)| str_of(volume, "name")).collect()
}

/// The field that says what a volume is.
fn kind(volume: &Map) -> &str {
    let fields = volume.iter().filter(|(key, value)| *key != "name" && value.is_object());
    fields.map(|(key, _)| key.as_str()).next().unwrap_or("unknown")
}
