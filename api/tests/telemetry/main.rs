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
async fn a_request_continues_the_trace_of_its_client() {
    let kept = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(kept.clone()).build();
    let layer = Exporter::over(provider.clone()).layer();
    let subscriber = tracing_subscriber::registry().with(layer);
    let _here = tracing::subscriber::set_default(subscriber);
    let server = ApiServer::builder().build().await.expect("a server");

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
    let whole = named(&spans, &format!("POST {path}"));
    assert_eq!(whole.span_context.trace_id().to_string(), TRACE);
    assert_eq!(whole.parent_span_id.to_string(), PARENT);
    let said = |key: &str| {
        let found = whole.attributes.iter().find(|one| one.key.as_str() == key);
        found.map(|one| one.value.to_string()).unwrap_or_default()
    };
    assert_eq!((said("http.response.status_code"), said("audit.id")), ("201".into(), "me".into()));
    for step in ["Authentication", "txn"] {
        let step = named(&spans, step);
        assert_eq!(step.span_context.trace_id().to_string(), TRACE);
        assert_eq!(step.parent_span_id, whole.span_context.span_id());
        assert!(step.start_time >= whole.start_time && step.end_time <= whole.end_time);
    }
}
