//! Out to a collector.

use http::HeaderMap;
use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{SpanContext, TraceContextExt, TracerProvider};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use std::time::Duration;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::Layer;
use tracing_subscriber::registry::LookupSpan;

/// How long one batch of spans may take.
const SEND: Duration = Duration::from_secs(10);
const MILLION: f64 = 1_000_000.0;
/// What the names of all crates of the project begin with.
const OURS: &str = "windlass";

/// Sends spans to a collector, in batches, on a thread of its own: requests never wait for it.
#[derive(Clone, Debug)]
pub struct Exporter {
    provider: SdkTracerProvider,
}

/// Why spans can't be sent. Trying again does not help.
#[derive(Debug, thiserror::Error)]
#[error("traces can't be exported: {0}")]
pub struct TelemetryError(#[source] Box<dyn std::error::Error + Send + Sync>);

struct Headers<'a>(&'a HeaderMap);

// === impl Exporter ===

impl Exporter {
    /// To an OTLP collector over gRPC, as `http://localhost:4317`. Of a million requests so many are
    /// sampled. To be called within a runtime.
    ///
    /// # Errors
    /// When the endpoint is no address.
    pub fn otlp(endpoint: &str, per_million: u32) -> Result<Self, TelemetryError> {
        let exporter = SpanExporter::builder().with_tonic().with_endpoint(endpoint);
        let exporter = exporter.with_timeout(SEND).build();
        let exporter = exporter.map_err(|error| TelemetryError(error.into()))?;
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_sampler(sampler(per_million))
            .with_resource(Resource::builder().with_service_name("apiserver").build());
        Ok(Self { provider: provider.build() })
    }

    /// Through a provider that was put together elsewhere.
    #[must_use]
    pub fn over(provider: SdkTracerProvider) -> Self {
        Self { provider }
    }

    /// What a subscriber of [`tracing`] hands its spans to. It takes those of the project's crates only: the exporter's
    /// own connection has spans too, and each batch would make the next. Who wants others has a layer of his own over the
    /// provider.
    #[must_use]
    pub fn layer<S>(&self) -> impl Layer<S> + Send + Sync + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        let layer = tracing_opentelemetry::layer();
        let layer = layer.with_tracer(self.provider.tracer("windlass-api"));
        layer.with_filter(Targets::new().with_target(OURS, LevelFilter::INFO))
    }

    /// Sends what was not sent yet, and nothing after it.
    ///
    /// # Errors
    /// When the collector does not take it.
    pub fn shutdown(&self) -> Result<(), TelemetryError> {
        self.provider.shutdown().map_err(|error| TelemetryError(error.into()))
    }
}

fn sampler(per_million: u32) -> Sampler {
    let ratio = f64::from(per_million) / MILLION;
    Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(ratio)))
}

/// The span of the caller, if he names it.
pub(super) fn caller(headers: &HeaderMap) -> Option<SpanContext> {
    let propagator = TraceContextPropagator::new();
    let context = propagator.extract_with_context(&Context::new(), &Headers(headers));
    Some(context.span().span_context().clone()).filter(SpanContext::is_valid)
}

// === impl Headers ===

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}
