//! Health and metrics over HTTP, with kube-proxy's paths.

pub(crate) mod http;
#[cfg(test)]
mod tests;

use ::http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use std::sync::Arc;
use windlass_core::clock::Env;

use self::http::{Answer, Answers};
use crate::component::Shared;
use crate::{dump, metrics};

/// Changes that wait for longer than this make the proxy unhealthy.
const STALE_AFTER: SignedDuration = SignedDuration::from_secs(60);

/// How syncing goes; written by the proxy, read by the server.
#[derive(Debug, Default)]
pub(crate) struct Health {
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    last_synced: Option<Timestamp>,
    failing_since: Option<Timestamp>,
}

/// Answers `/healthz`, `/livez`, `/metrics`, and `/dump` and `/dump/NAMESPACE/SERVICE` with what is programmed.
pub(crate) struct Server {
    pub(crate) shared: Arc<Shared>,
    pub(crate) registry: Registry,
    pub(crate) env: Env,
}

// === impl Health ===

impl Health {
    pub(crate) fn synced(&self, now: Timestamp) {
        *self.state.lock() = State { last_synced: Some(now), failing_since: None };
    }

    pub(crate) fn failed(&self, now: Timestamp) {
        self.state.lock().failing_since.get_or_insert(now);
    }

    /// Whether rules are as they should be, in words.
    pub(crate) fn words(&self) -> String {
        let state = *self.state.lock();
        match (state.failing_since, state.last_synced) {
            (Some(since), _) => format!("not in step: syncing has failed since {since:.0}"),
            (None, Some(at)) => format!("in step, last synced at {at:.0}"),
            (None, None) => "not in step: not synced yet".to_owned(),
        }
    }

    /// Whether rules are, or soon will be, what they should be.
    fn is_healthy(&self, now: Timestamp) -> bool {
        let state = *self.state.lock();
        let failing =
            state.failing_since.is_some_and(|since| now.duration_since(since) > STALE_AFTER);
        state.last_synced.is_some() && !failing
    }
}

// === impl Server ===

impl Server {
    fn health(&self) -> Answer {
        let now = self.env.clock.now();
        let health = &self.shared.health;
        let healthy = health.is_healthy(now);
        let body = serde_json::json!({
            "lastUpdated": health.state.lock().last_synced,
            "currentTime": now,
            "healthy": healthy,
        });
        Answer::json(healthy, &body)
    }

    fn metrics(&self) -> Answer {
        match metrics::text(&self.registry) {
            Ok(body) => Answer {
                status: StatusCode::OK,
                kind: "application/openmetrics-text; version=1.0.0; charset=utf-8",
                body,
            },
            Err(error) => Answer::text(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        }
    }
}

impl Answers for Server {
    fn get(&self, path: &str) -> Option<Answer> {
        match path {
            "/healthz" | "/livez" => Some(self.health()),
            "/metrics" => Some(self.metrics()),
            _ => dump::answer(path.strip_prefix("/dump")?, &self.shared),
        }
    }
}
