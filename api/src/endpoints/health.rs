//! `/healthz`, `/livez`, `/readyz`.

use super::Body;
use super::respond::text;
use crate::server::ApiServer;
use http::{Response, StatusCode};
use windlass_core::request::RequestInfo;

/// One thing that is looked at.
struct Check {
    name: &'static str,
    fault: Option<String>,
}

pub(super) async fn respond(
    server: &ApiServer,
    segments: &[&str],
    info: &RequestInfo,
) -> Response<Body> {
    let checks = checks(server, segments[0]).await;
    if let Some(name) = segments.get(1) {
        return match checks.iter().find(|check| check.name == *name) {
            Some(check) if segments.len() == 2 => one(check),
            _ => super::respond::not_found(),
        };
    }
    let asked = |name: &str| info.query.iter().any(|(key, _)| key == name);
    let excluded = |check: &&Check| {
        !info.query.iter().any(|(key, value)| key == "exclude" && value == check.name)
    };
    let checks: Vec<_> = checks.iter().filter(excluded).collect();
    let healthy = checks.iter().all(|check| check.fault.is_none());
    if healthy && !asked("verbose") {
        return text(StatusCode::OK, "ok");
    }
    let mut lines: String = checks.iter().map(|check| check.line()).collect();
    let verdict = if healthy { "passed" } else { "failed" };
    lines += &format!("{} check {verdict}\n", segments[0]);
    let code = if healthy { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR };
    text(code, lines)
}

fn one(check: &Check) -> Response<Body> {
    match &check.fault {
        None => text(StatusCode::OK, "ok"),
        Some(fault) => text(StatusCode::INTERNAL_SERVER_ERROR, fault.clone()),
    }
}

async fn checks(server: &ApiServer, probe: &str) -> Vec<Check> {
    let store = server.handler.registry.backend.current_revision().await;
    let store = store.err().map(|error| error.to_string());
    let mut checks =
        vec![Check { name: "ping", fault: None }, Check { name: "etcd", fault: store }];
    if probe == "readyz" {
        let fault = server.stopping.is_cancelled().then(|| "process is shutting down".to_owned());
        checks.push(Check { name: "shutdown", fault });
    }
    checks
}

// === impl Check ===

impl Check {
    fn line(&self) -> String {
        match &self.fault {
            None => format!("[+]{} ok\n", self.name),
            Some(_) => format!("[-]{} failed: reason withheld\n", self.name),
        }
    }
}
