//! Flags for what clients may take up of the API server, under kube-apiserver's names.

use clap::Args;
use std::time::Duration;
use windlass_api::flowcontrol::FlowOptions;
use windlass_api::server::{Limits, ServeOptions};
use windlass_core::meta::parse_duration;

/// What clients may take up of the API server.
#[derive(Args)]
#[command(next_help_heading = "Limits")]
pub(super) struct LimitFlags {
    /// Requests worked on at once, together with the next: the seats that priority levels share
    #[arg(long, default_value_t = 400, value_name = "N")]
    max_requests_inflight: u32,
    /// Added to the above
    #[arg(long, default_value_t = 200, value_name = "N")]
    max_mutating_requests_inflight: u32,
    /// How long a request may take, watches and connections excepted
    #[arg(long, default_value = "1m0s", value_name = "DURATION", value_parser = parse_duration)]
    request_timeout: Duration,
    /// Seconds that a watch lasts at least, if its client sets no end
    #[arg(long, default_value_t = 1800, value_name = "SECONDS")]
    min_request_timeout: u64,
    /// Streams of one HTTP/2 connection
    #[arg(long, default_value_t = 1000, value_name = "N")]
    http2_max_streams_per_connection: u32,
    /// How long all goes on after SIGTERM, with /readyz failing, for load balancers to notice
    #[arg(long, default_value = "0s", value_name = "DURATION", value_parser = parse_duration)]
    shutdown_delay_duration: Duration,
}

impl LimitFlags {
    pub(super) fn limits(&self) -> Limits {
        let seats = self.max_requests_inflight.saturating_add(self.max_mutating_requests_inflight);
        // A request waits for a quarter of its time at most, as in Kubernetes.
        let patience = self.request_timeout / 4;
        Limits {
            request_timeout: self.request_timeout,
            min_request_timeout: Duration::from_secs(self.min_request_timeout),
            flow: FlowOptions { seats, patience, ..FlowOptions::default() },
            ..Limits::default()
        }
    }

    pub(super) fn serve(&self) -> ServeOptions {
        ServeOptions {
            streams: self.http2_max_streams_per_connection,
            delay: self.shutdown_delay_duration,
            ..ServeOptions::default()
        }
    }
}
