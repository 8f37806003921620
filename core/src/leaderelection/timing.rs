//! The times of an election.

use std::time::Duration;

/// How a wait grows at most, by chance, so that candidates don't move in step (client-go's `JitterFactor`).
pub(super) const JITTER: f64 = 1.2;

/// The times of an election. The defaults are those of Kubernetes' own components.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Others take the Lease when they saw no renewal for so long. In whole seconds: so it stands in the Lease.
    pub lease_duration: Duration,
    /// Who could not renew it for so long leads no more.
    pub renew_deadline: Duration,
    /// Between two renewals, and between two attempts to get it.
    pub retry_period: Duration,
}

/// Times that don't fit together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("leader election: {0}")]
pub struct BadTiming(&'static str);

impl Default for Timing {
    fn default() -> Self {
        let [lease_duration, renew_deadline, retry_period] = [15, 10, 2].map(Duration::from_secs);
        Self { lease_duration, renew_deadline, retry_period }
    }
}

impl Timing {
    /// The same, if an old leader stops before a new one starts, and has time to try more than once.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(self) -> Result<Self, BadTiming> {
        let bad = if self.retry_period.is_zero() {
            "the retry period must be greater than zero"
        } else if self.lease_duration.as_secs() == 0 || self.lease_duration.subsec_nanos() != 0 {
            "the lease duration must be whole seconds, and at least one"
        } else if self.lease_duration <= self.renew_deadline {
            "the lease duration must be greater than the renew deadline"
        } else if self.renew_deadline <= self.retry_period.mul_f64(JITTER) {
            "the renew deadline must be greater than 1.2 times the retry period"
        } else {
            return Ok(self);
        };
        Err(BadTiming(bad))
    }
}
