//! What clients may take up of a server.

use crate::flowcontrol::FlowOptions;
use std::time::Duration;

/// What clients may take up of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Requests at once, those that wait for their turn too; watches not, and none of an exempt priority level.
    pub requests: usize,
    /// How long a request may take, until its answer begins; one that takes longer by nature not.
    pub request_timeout: Duration,
    /// How long a watch lasts for which nobody set an end; up to twice as long, so that not all end at once.
    pub min_request_timeout: Duration,
    /// Headers of a request.
    pub headers: usize,
    /// How priority and fairness share the server out.
    pub flow: FlowOptions,
}

// === impl Limits ===

impl Default for Limits {
    /// Kubernetes' own where it has them: a minute, and half an hour.
    fn default() -> Self {
        Self {
            requests: 10_000,
            request_timeout: Duration::from_secs(60),
            min_request_timeout: Duration::from_secs(1800),
            headers: 256,
            flow: FlowOptions::default(),
        }
    }
}
