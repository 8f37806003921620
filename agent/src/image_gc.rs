//! Takes images away that no container uses: when their disk fills up, when they were not used for long, and when the
//! node runs short of disk ("Garbage collection of images", imageMaximumGCAge of KEP-4210).
//!
//! `plan` decides (pure), `collector` looks and removes.

mod collector;
mod plan;

pub(crate) use collector::ImageGc;

use std::time::Duration;

/// When images go. One that is pinned, or that a container has, never goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageGcPolicy {
    /// They go when more than so many hundredths of their disk are used; 100 switches that off.
    pub high_threshold_percent: u8,
    /// Until no more than so many are.
    pub low_threshold_percent: u8,
    /// One that has not been here for so long stays.
    pub minimum_age: Duration,
    /// One that was not used for longer than this goes, however much room there is; `None`: none does.
    pub maximum_age: Option<Duration>,
}

/// Thresholds that make no sense.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageGcError {
    /// More than everything.
    #[error("invalid image garbage collection threshold {0}: must be between 0 and 100")]
    Range(u8),
    /// Nothing would lie between them.
    #[error(
        "the low threshold of image garbage collection ({low}) must be less than the high one ({high})"
    )]
    Order {
        /// The low one.
        low: u8,
        /// The high one.
        high: u8,
    },
}

// === impl ImageGcPolicy ===

impl Default for ImageGcPolicy {
    /// The kubelet's.
    fn default() -> Self {
        Self {
            high_threshold_percent: 85,
            low_threshold_percent: 80,
            minimum_age: Duration::from_secs(120),
            maximum_age: None,
        }
    }
}

impl ImageGcPolicy {
    /// Says what is wrong with the thresholds.
    ///
    /// # Errors
    /// When one is above 100, or the low one is not below the high one.
    pub fn check(&self) -> Result<(), ImageGcError> {
        let (low, high) = (self.low_threshold_percent, self.high_threshold_percent);
        if let Some(wrong) = [low, high].into_iter().find(|percent| *percent > 100) {
            return Err(ImageGcError::Range(wrong));
        }
        if low < high { Ok(()) } else { Err(ImageGcError::Order { low, high }) }
    }
}
