//! Traces of requests (KEP-647): a span for each, and within it one for each step that may take long.
//!
//! The spans are [`tracing`]'s. With the feature `opentelemetry` a request continues the trace that its `traceparent`
//! names (W3C Trace Context), and `Exporter` sends what is sampled to a collector. Without it there are none.

#[cfg(feature = "opentelemetry")]
mod export;

#[cfg(feature = "opentelemetry")]
pub use export::{Exporter, TelemetryError};

use http::Request;
use tracing::Span;

/// The span of a request.
#[cfg(feature = "opentelemetry")]
pub(crate) fn request<B>(request: &Request<B>, audit_id: &str) -> Span {
    use tracing_opentelemetry::OpenTelemetrySpanExt;

    let (method, path) = (request.method(), request.uri().path());
    let span = tracing::info_span!(
        "KubernetesAPI",
        otel.name = %format_args!("{method} {path}"),
        otel.kind = "server",
        http.request.method = %method,
        url.path = path,
        audit.id = audit_id,
        http.response.status_code = tracing::field::Empty,
    );
    // It fails only where nobody exports spans.
    _ = span.set_parent(export::parent(request.headers()));
    span
}

/// The span of a request: there are none.
#[cfg(not(feature = "opentelemetry"))]
pub(crate) fn request<B>(_: &Request<B>, _: &str) -> Span {
    Span::none()
}

/// Notes how a request was answered.
pub(crate) fn answered(span: &Span, code: u16) {
    span.record("http.response.status_code", code);
}

/// A step of the work on a request.
#[cfg(feature = "opentelemetry")]
pub(crate) fn step(name: &'static str) -> Span {
    tracing::info_span!("step", otel.name = name)
}

/// A step of the work on a request: there are none.
#[cfg(not(feature = "opentelemetry"))]
pub(crate) fn step(_: &'static str) -> Span {
    Span::none()
}
