//! How many seats are asked for, over time.

use std::time::Duration;

/// How many seats were asked for since somebody looked.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Demand {
    /// The most at any time.
    pub(crate) high: f64,
    /// On average.
    pub(crate) average: f64,
    /// Standard deviation.
    pub(crate) deviation: f64,
}

/// Sums over time of the seats that were asked for.
#[derive(Clone, Copy, Default)]
pub(super) struct Observed {
    since: Duration,
    high: f64,
    sum: f64,
    squares: f64,
}

// === impl Observed ===

impl Observed {
    /// So many seats are asked for now.
    pub(super) fn note(&mut self, seats: f64) {
        self.high = self.high.max(seats);
    }

    /// So many were, for so long.
    pub(super) fn pass(&mut self, seats: f64, seconds: f64) {
        self.sum += seats * seconds;
        self.squares += seats * seats * seconds;
    }

    /// What was noted since this was last called. `seats` are asked for now.
    pub(super) fn take(&mut self, now: Duration, seats: f64) -> Demand {
        let next = Self { since: now, high: seats, ..Self::default() };
        let Self { since, high, sum, squares } = std::mem::replace(self, next);
        let time = now.saturating_sub(since).as_secs_f64();
        if time <= 0.0 {
            return Demand { high: high.max(seats), average: seats, deviation: 0.0 };
        }
        let average = sum / time;
        let deviation = (squares / time - average * average).max(0.0).sqrt();
        Demand { high: high.max(seats), average, deviation }
    }
}
