//! Which path does what.

use super::answers::{Body, Refusal, json, text};
use super::query::{pairs, segments};
use super::{Server, configz, metrics};
use crate::stats::{Stats, cadvisor, resource_metrics, summary};
use http::{Request, Response};
use hyper::body::Incoming;
use serde_json::{Value, json};
use std::sync::Arc;

impl Server {
    /// Answers one request.
    pub(super) async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        let path = segments(request.uri().path());
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let query = pairs(request.uri().query());
        let answer = match path.as_slice() {
            ["healthz"] => Ok(text("ok")),
            ["pods"] => self.list_pods(),
            ["metrics"] => Ok(text(metrics::render(&self.host, self.pods.len()))),
            ["configz"] => Ok(json(&configz::configz(&self.host.config))),
            ["metrics", "cadvisor"] => self.cadvisor().await,
            ["metrics", "probes"] => Ok(text(self.host.prober.metrics())),
            ["metrics", "resource"] => self.stats().await.map(|all| text(resource_metrics(&all))),
            ["stats", "summary"] => self.stats().await.map(|all| json(&summary(&all))),
            ["containerLogs", namespace, pod, container] => {
                self.container_logs(namespace, pod, container, &query).await
            }
            ["run", namespace, pod, .., container] => {
                self.run_command(namespace, pod, container, &query).await
            }
            ["exec", namespace, pod, .., container] => {
                self.exec(request, namespace, pod, container, &query)
            }
            ["attach", namespace, pod, .., container] => {
                self.attach(request, namespace, pod, container, &query)
            }
            ["portForward", namespace, pod, ..] => self.port_forward(request, namespace, pod),
            _ => Err(Refusal::not_found("404 page not found")),
        };
        answer.unwrap_or_else(Refusal::response)
    }

    fn list_pods(&self) -> Result<Response<Body>, Refusal> {
        let view = |entry: Arc<windlass_core::cache::Entry<_>>| entry.object.view::<Value>();
        let pods: Result<Vec<_>, _> = self.pods.list(None).into_iter().map(view).collect();
        let items = pods.map_err(|e| Refusal::internal(&e))?;
        Ok(json(&json!({"apiVersion": "v1", "kind": "PodList", "metadata": {}, "items": items})))
    }

    async fn cadvisor(&self) -> Result<Response<Body>, Refusal> {
        let stats = self.stats().await?.with_network().await;
        Ok(text(cadvisor(&stats, &self.host.config.machine)))
    }

    async fn stats(&self) -> Result<Stats, Refusal> {
        Stats::read(&self.host).await.map_err(|error| Refusal::internal(&error))
    }
}
