//! Out to a collector.

use http::HeaderMap;
use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use std::time::Duration;
use tracing::Subscriber;
use tracing_opentelemetry::OpenTelemetryLayer;

/// How long one batch of spans may take.
const SEND: Duration = Duration::from_secs(10);
const MILLION: f64 = 1_000_000.0;

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
    /// To an OTLP collector over gRPC, as `http://localhost:4317`. Of a million traces that begin here so many are
    /// sampled; a trace that a client began is sampled if the client says so. To be called within a runtime.
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

    /// What a subscriber of [`tracing`] hands its spans to.
    #[must_use]
    pub fn layer<S>(&self) -> OpenTelemetryLayer<S, opentelemetry_sdk::trace::SdkTracer>
    where
        S: Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
    {
        tracing_opentelemetry::layer().with_tracer(self.provider.tracer("windlass-api"))
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

/// The trace that a request is part of.
pub(super) fn parent(headers: &HeaderMap) -> Context {
    TraceContextPropagator::new().extract_with_context(&Context::new(), &Headers(headers))
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
