//! Pods keep away from what is the machine's own.

use super::Violation;
use crate::admission::pod_security::subject::{Setters, Subject, named, plural, quoted, secured};
use crate::strategy::Map;
use crate::strategy::json::{int_of, is_true, map_at, map_of, maps_of, str_of};
use std::collections::BTreeSet;

pub(super) fn namespaces(subject: &Subject<'_>) -> Option<Violation> {
    let shared = ["hostNetwork", "hostPID", "hostIPC"];
    let shared: Vec<_> = shared.iter().filter(|one| is_true(subject.spec, one)).collect();
    if shared.is_empty() {
        return None;
    }
    let detail: Vec<_> = shared.iter().map(|one| format!("{one}=true")).collect();
    Violation::new("host namespaces", detail.join(", "))
}

pub(super) fn ports(subject: &Subject<'_>) -> Option<Violation> {
    fn taken(container: &Map) -> impl Iterator<Item = i64> + '_ {
        let ports = maps_of(container, "ports");
        ports.filter_map(|(_, port)| int_of(port, "hostPort")).filter(|port| *port != 0)
    }
    let names = subject.which(|container| taken(container).next().is_some());
    if names.is_empty() {
        return None;
    }
    // In the order of their texts.
    let ports: BTreeSet<String> =
        subject.containers().flat_map(taken).map(|port| port.to_string()).collect();
    let (uses, what) = (uses(names.len()), plural("hostPort", ports.len()));
    let ports: Vec<_> = ports.into_iter().collect();
    Violation::new("hostPort", format!("{} {uses} {what} {}", named(&names), ports.join(", ")))
}

pub(super) fn probes(subject: &Subject<'_>) -> Option<Violation> {
    const HANDLERS: [&[&str]; 5] = [
        &["livenessProbe"],
        &["readinessProbe"],
        &["startupProbe"],
        &["lifecycle", "postStart"],
        &["lifecycle", "preStop"],
    ];
    fn hosts(container: &Map) -> impl Iterator<Item = &str> {
        let handlers = HANDLERS.iter().filter_map(move |path| map_at(container, path));
        let calls = |handler| ["httpGet", "tcpSocket"].map(|call| map_of(handler, call));
        let calls = handlers.flat_map(calls).flatten();
        calls.map(|call| str_of(call, "host")).filter(|host| !host.is_empty())
    }
    let names: BTreeSet<_> =
        subject.which(|container| hosts(container).next().is_some()).into_iter().collect();
    if names.is_empty() {
        return None;
    }
    let names: Vec<_> = names.into_iter().collect();
    let hosts: BTreeSet<_> = subject.containers().flat_map(hosts).collect();
    let (uses, what) = (uses(names.len()), plural("probe or lifecycle host", hosts.len()));
    let detail = format!("{} {uses} {what} {}", named(&names), quoted(hosts));
    Violation::new("probe or lifecycle host", detail)
}

pub(super) fn windows_process(subject: &Subject<'_>) -> Option<Violation> {
    let bad = Setters::of(subject, |owner| {
        let host = &secured(owner, "windowsOptions")?["hostProcess"];
        (*host == true).then(String::new)
    });
    let names = bad.names()?;
    let detail = format!("{names} must not set securityContext.windowsOptions.hostProcess=true");
    Violation::new("hostProcess", detail)
}

fn uses(count: usize) -> &'static str {
    if count == 1 { "uses" } else { "use" }
}
