use crate::Http;
use async_trait::async_trait;
use std::sync::Arc;
use windlass_api::registry::Loopback;
use windlass_api::resource_metrics::{ResourceMetrics, Source};
use windlass_api::server::ApiServer;
use windlass_core::clock::SystemClock;
use windlass_core::component::Shutdown;

struct Nobody;

#[async_trait]
impl Source for Nobody {
    async fn read(&self, _: &Loopback, node: &str) -> Result<String, String> {
        Err(format!("nobody is at {node}"))
    }
}

/// A client that validates stops at a list whose items nobody describes.
#[tokio::test]
async fn what_is_observed_has_a_published_schema() {
    let metrics = ResourceMetrics::new(Nobody, Arc::new(SystemClock), Shutdown::new());
    let http = Http::with(metrics.serve(ApiServer::builder())).await;
    let definitions = http.get("/openapi/v2").await.json()["definitions"].take();
    for (kind, field) in [("NodeMetrics", "usage"), ("PodMetrics", "containers")] {
        let name = format!("io.k8s.metrics.v1beta1.{kind}");
        assert!(definitions[&name]["properties"][field].is_object(), "{name}");
        let items = &definitions[format!("{name}List")]["properties"]["items"]["items"];
        assert_eq!(items["$ref"], format!("#/definitions/{name}"));
    }
    let version = http.get("/openapi/v3/apis/metrics.k8s.io/v1beta1").await.json();
    let pods = &version["components"]["schemas"]["io.k8s.metrics.v1beta1.PodMetrics"];
    assert_eq!(pods["properties"]["timestamp"]["format"], "date-time");
}
