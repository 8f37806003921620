//! Traces of requests (KEP-647): a span for each, and within it one for each step that may take long.
//!
//! The spans are [`tracing`]'s. With the feature `opentelemetry`, `Exporter` sends what is sampled to a collector. Each
//! request begins a trace, with a link to the one that its `traceparent` names (W3C Trace Context): clients have no say
//! in what is sampled. Without the feature there are none.

#[cfg(feature = "opentelemetry")]
mod export;

#[cfg(feature = "opentelemetry")]
pub use export::{Exporter, TelemetryError};

use crate::handler::Handler;
use http::Request;
use tracing::Span;
use windlass_core::request::RequestInfo;
#[cfg(feature = "opentelemetry")]
use windlass_core::request::{ResourceTarget, Target};

/// The span of a request.
#[cfg(feature = "opentelemetry")]
pub(crate) fn request<B>(
    handler: &Handler,
    info: &RequestInfo,
    request: &Request<B>,
    audit_id: &str,
) -> Span {
    use tracing_opentelemetry::OpenTelemetrySpanExt;

    let (method, path) = (known(request.method()), request.uri().path());
    let span = tracing::info_span!(
        parent: None,
        "KubernetesAPI",
        otel.name = name(handler, info, method),
        otel.kind = "server",
        http.request.method = method,
        url.path = path,
        audit.id = audit_id,
        http.response.status_code = tracing::field::Empty,
    );
    if let Some(theirs) = export::caller(request.headers()) {
        span.add_link(theirs);
    }
    span
}

/// What the spans of requests alike are called, as Kubernetes calls them. Of what is not served there is no end of names.
#[cfg(feature = "opentelemetry")]
fn name(handler: &Handler, info: &RequestInfo, method: &str) -> String {
    match &info.target {
        Target::Resource(target) if is_served(handler, target) => {
            format!("{method} {}", template(target))
        }
        _ => method.to_owned(),
    }
}

/// Clients can make up methods too.
#[cfg(feature = "opentelemetry")]
fn known(method: &http::Method) -> &str {
    let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"];
    known.into_iter().find(|known| *known == method.as_str()).unwrap_or("_OTHER")
}

#[cfg(feature = "opentelemetry")]
fn is_served(handler: &Handler, target: &ResourceTarget) -> bool {
    let subresource = target.subresource.as_deref();
    handler
        .find(target)
        .is_ok_and(|entry| subresource.is_none_or(|name| entry.info.subresource(name).is_some()))
}

#[cfg(feature = "opentelemetry")]
fn template(target: &ResourceTarget) -> String {
    let resource = &target.resource;
    let root = if resource.group.is_empty() { "/api" } else { "/apis" };
    let namespace = target.namespace.as_ref().map_or("", |_| "/namespaces/{:namespace}");
    let name = target.name.as_ref().map_or("", |_| "/{:name}");
    let subresource = target.subresource.iter().map(|name| format!("/{name}"));
    let version = resource.group_version();
    let all = subresource.collect::<String>();
    format!("{root}/{version}{namespace}/{}{name}{all}", resource.resource)
}

/// The span of a request: there are none.
#[cfg(not(feature = "opentelemetry"))]
pub(crate) fn request<B>(_: &Handler, _: &RequestInfo, _: &Request<B>, _: &str) -> Span {
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
