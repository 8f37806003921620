//! Settings of the kernel that concern others stay as they are.

use super::Violation;
use crate::admission::pod_security::subject::Subject;
use serde_json::Value;

/// What is a pod's own, each from a release on.
const SAFE: [(u32, &str); 12] = [
    (0, "kernel.shm_rmid_forced"),
    (0, "net.ipv4.ip_local_port_range"),
    (0, "net.ipv4.tcp_syncookies"),
    (0, "net.ipv4.ping_group_range"),
    (0, "net.ipv4.ip_unprivileged_port_start"),
    (27, "net.ipv4.ip_local_reserved_ports"),
    (29, "net.ipv4.tcp_keepalive_time"),
    (29, "net.ipv4.tcp_fin_timeout"),
    (29, "net.ipv4.tcp_keepalive_intvl"),
    (29, "net.ipv4.tcp_keepalive_probes"),
    (32, "net.ipv4.tcp_rmem"),
    (32, "net.ipv4.tcp_wmem"),
];

pub(super) fn v0(subject: &Subject<'_>) -> Option<Violation> {
    check(subject, 0)
}

pub(super) fn v27(subject: &Subject<'_>) -> Option<Violation> {
    check(subject, 27)
}

pub(super) fn v29(subject: &Subject<'_>) -> Option<Violation> {
    check(subject, 29)
}

pub(super) fn v32(subject: &Subject<'_>) -> Option<Violation> {
    check(subject, 32)
}

fn check(subject: &Subject<'_>, minor: u32) -> Option<Violation> {
    let all = subject.secured("sysctls").and_then(Value::as_array).into_iter().flatten();
    let names = all.filter_map(|one| one["name"].as_str());
    let safe = |name: &str| SAFE.iter().any(|(from, known)| *from <= minor && *known == name);
    let bad: Vec<_> = names.filter(|name| !safe(name)).collect();
    if bad.is_empty() { None } else { Violation::new("forbidden sysctls", bad.join(", ")) }
}
