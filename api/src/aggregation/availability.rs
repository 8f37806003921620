//! Whether another server is there, and what it serves.

use super::Aggregator;
use super::fetch::{Fetched, get};
use super::location::{self, Fault};
use super::routes::Route;
use super::service::Condition;
use crate::nodes::backend::Backend;
use http::StatusCode;
use windlass_core::scheme::read_resources;

/// What is found out about a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) available: bool,
    pub(super) reason: &'static str,
    pub(super) message: String,
}

// === impl Verdict ===

impl Verdict {
    /// What this server serves itself is there.
    pub(super) fn local() -> Self {
        let message = "Local APIServices are always available".to_owned();
        Self { available: true, reason: "Local", message }
    }

    /// What follows from its Service, and from what it answered if it could be asked.
    pub(super) fn of(asked: &Result<Result<(), String>, Fault>) -> Self {
        match asked {
            Ok(Ok(())) => {
                Self { available: true, reason: "Passed", message: "all checks passed".into() }
            }
            Ok(Err(message)) => {
                let (reason, message) = ("FailedDiscoveryCheck", message.clone());
                Self { available: false, reason, message }
            }
            Err(Fault { reason, message }) => {
                Self { available: false, reason, message: message.clone() }
            }
        }
    }

    /// Whether a condition says this already.
    pub(super) fn is_said(&self, condition: Option<&Condition>) -> bool {
        let word = if self.available { "True" } else { "False" };
        condition.is_some_and(|said| {
            (said.status.as_str(), said.reason.as_str(), said.message.as_str())
                == (word, self.reason, self.message.as_str())
        })
    }
}

// === impl Aggregator ===

impl Aggregator {
    /// Asks the server; where it is if it is there.
    pub(super) async fn check(&self, route: &Route) -> (Verdict, Option<Backend>) {
        let found = location::find(&self.registry.objects, &route.reference, route.turn()).await;
        let (asked, backend) = match found {
            Err(fault) => (Err(fault), None),
            Ok(backend) => (Ok(self.discover(route, &backend).await), Some(backend)),
        };
        let verdict = Verdict::of(&asked);
        route.set_available(verdict.available);
        (verdict, backend)
    }

    /// Asks what it serves.
    async fn discover(&self, route: &Route, backend: &Backend) -> Result<(), String> {
        let path = route.version.path();
        let url = format!("https://{}{path}", backend.authority());
        let failing = |why: String| format!("failing or missing response from {url}: {why}");
        let answer = get(route, backend, &path, None).await.map_err(failing)?;
        if !answer.code.is_success() {
            return Err(failing(format!("bad status from {url}: {}", answer.code.as_u16())));
        }
        let served = read_resources(&route.version, &answer.body).unwrap_or_else(|error| {
            tracing::warn!(url, %error, "a server does not say what it serves");
            Vec::new()
        });
        if route.set_resources(served) {
            self.registry.objects.resources().touch();
        }
        Ok(())
    }

    /// Fetches its OpenAPI documents, if they are others than those that are known.
    pub(super) async fn fetch_documents(&self, route: &Route, backend: &Backend) {
        let known = route.etag.read().clone();
        let path = format!("/openapi/v3{}", route.version.path());
        let v3 = match get(route, backend, &path, known.as_deref()).await {
            Ok(answer) if answer.code == StatusCode::NOT_MODIFIED => return,
            Ok(answer) if answer.code.is_success() => answer,
            Ok(Fetched { code, .. }) => {
                return tracing::debug!(path, %code, "a server has no OpenAPI document");
            }
            Err(error) => return tracing::debug!(path, error, "no OpenAPI document came"),
        };
        let v2 = get(route, backend, "/openapi/v2", None).await.ok();
        let v2 = v2.filter(|answer| answer.code.is_success()).map(|answer| answer.body);
        let (openapi, version) = (self.openapi.clone(), route.version.clone());
        // Reading them takes a while: away from the tasks that serve.
        let Fetched { body, etag, .. } = v3;
        let put = move || openapi.put_remote(&version, &body, v2.as_deref());
        match tokio::task::spawn_blocking(put).await {
            Ok(Ok(())) => *route.etag.write() = etag,
            Ok(Err(error)) => tracing::warn!(path, %error, "an OpenAPI document is none"),
            Err(error) => tracing::error!(path, %error, "an OpenAPI document can't be taken in"),
        }
    }
}
