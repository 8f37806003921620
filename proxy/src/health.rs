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

/// A change that waits, a sync that hangs or syncs that fail for longer than this make the proxy unhealthy.
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
    /// Since when a change waits.
    queued_since: Option<Timestamp>,
    /// Since when what is being synced has waited.
    syncing_since: Option<Timestamp>,
    /// Whether the node goes away: load balancers are to send it nothing new (KEP-3836).
    node_leaves: bool,
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
        let mut state = self.state.lock();
        (state.last_synced, state.failing_since, state.syncing_since) = (Some(now), None, None);
    }

    /// A change waits for a sync.
    pub(crate) fn queued(&self, now: Timestamp) {
        self.state.lock().queued_since.get_or_insert(now);
    }

    /// A sync takes all that waits.
    pub(crate) fn began(&self, now: Timestamp) {
        let mut state = self.state.lock();
        state.syncing_since = state.queued_since.take().or(Some(now));
    }

    /// Whether the node goes away.
    pub(crate) fn node_leaves(&self, leaves: bool) {
        self.state.lock().node_leaves = leaves;
    }

    pub(crate) fn failed(&self, now: Timestamp) {
        let mut state = self.state.lock();
        state.syncing_since = None;
        state.failing_since.get_or_insert(now);
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
        let waits = [state.failing_since, state.queued_since, state.syncing_since];
        let too_long = |since: Timestamp| now.duration_since(since) > STALE_AFTER;
        state.last_synced.is_some() && !waits.into_iter().flatten().any(too_long)
    }
}

// === impl Server ===

impl Server {
    /// `/livez` tells of the proxy alone; `/healthz` also whether the node is one to send something to.
    fn health(&self, of_node: bool) -> Answer {
        let now = self.env.clock.now();
        let health = &self.shared.health;
        let state = *health.state.lock();
        let healthy = health.is_healthy(now) && !(of_node && state.node_leaves);
        let body = serde_json::json!({
            "lastUpdated": state.last_synced,
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
            "/healthz" => {
                let answer = self.health(true);
                self.shared.metrics.answered_healthz(answer.status);
                Some(answer)
            }
            "/livez" => {
                let answer = self.health(false);
                self.shared.metrics.answered_livez(answer.status);
                Some(answer)
            }
            "/metrics" => Some(self.metrics()),
            _ => dump::answer(path.strip_prefix("/dump")?, &self.shared),
        }
    }
}
