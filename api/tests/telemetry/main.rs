//! Traces of requests.

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use tower::ServiceExt;
use tracing_subscriber::layer::SubscriberExt;
use windlass_api::server::ApiServer;
use windlass_api::telemetry::Exporter;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

fn named<'a>(spans: &'a [SpanData], name: &str) -> &'a SpanData {
    spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("{name}: {spans:#?}"))
}

#[tokio::test(flavor = "current_thread")]
async fn a_request_is_a_trace_linked_to_that_of_its_client() {
    let kept = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(kept.clone()).build();
    let layer = Exporter::over(provider.clone()).layer();
    let subscriber = tracing_subscriber::registry().with(layer);
    let _here = tracing::subscriber::set_default(subscriber);
    let server = ApiServer::builder().build().await.expect("a server");
    drop(tracing::info_span!(target: "h2::proto", "a frame").entered());

    let path = "/api/v1/namespaces";
    let request = Request::post(path)
        .header("traceparent", format!("00-{TRACE}-{PARENT}-01"))
        .header("audit-id", "me")
        .body(Full::new(Bytes::from_static(br#"{"metadata":{"name":"a"}}"#)))
        .expect("a request");
    let response = server.service().oneshot(request).await.expect("it never fails");
    assert_eq!(response.status(), 201);
    response.into_body().collect().await.expect("a whole answer");

    provider.force_flush().expect("exported");
    let spans = kept.get_finished_spans().expect("they are kept");
    assert!(spans.iter().all(|span| span.name != "a frame"), "it is none of ours");
    let whole = named(&spans, &format!("POST {path}"));
    let trace = whole.span_context.trace_id();
    assert_ne!(trace.to_string(), TRACE, "clients decide nothing about traces");
    assert_eq!(whole.parent_span_id, opentelemetry::trace::SpanId::INVALID);
    let link = whole.links.iter().next().expect("a link to the client's");
    assert_eq!(link.span_context.trace_id().to_string(), TRACE);
    assert_eq!(link.span_context.span_id().to_string(), PARENT);
    let said = |key: &str| {
        let found = whole.attributes.iter().find(|one| one.key.as_str() == key);
        found.map(|one| one.value.to_string()).unwrap_or_default()
    };
    assert_eq!((said("http.response.status_code"), said("audit.id")), ("201".into(), "me".into()));
    for step in ["Authentication", "txn"] {
        let step = named(&spans, step);
        assert_eq!(step.span_context.trace_id(), trace);
        assert_eq!(step.parent_span_id, whole.span_context.span_id());
        assert!(step.start_time >= whole.start_time && step.end_time <= whole.end_time);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn names_of_spans_have_an_end() {
    let kept = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(kept.clone()).build();
    let layer = Exporter::over(provider.clone()).layer();
    let _here = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
    let server = ApiServer::builder().build().await.expect("a server");
    for (method, path, name) in [
        ("GET", "/api/v1/namespaces/x/pods/y", "GET /api/v1/namespaces/{:namespace}/pods/{:name}"),
        ("GET", "/apis/apps/v1/deployments", "GET /apis/apps/v1/deployments"),
        ("PUT", "/api/v1/nodes/n/status", "PUT /api/v1/nodes/{:name}/status"),
        ("GET", "/api/v1/namespaces/x/pods/y/made-up", "GET"),
        ("GET", "/api/v1/made-up", "GET"),
        ("GET", "/made/up", "GET"),
        ("MADEUP", "/made/up", "_OTHER"),
    ] {
        kept.reset();
        let request = Request::builder().method(method).uri(path).body(Full::<Bytes>::default());
        let response = server.service().oneshot(request.expect("a request")).await;
        drop(response.expect("it never fails"));
        provider.force_flush().expect("exported");
        named(&kept.get_finished_spans().expect("they are kept"), name);
    }
}
