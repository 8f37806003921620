//! CPU time of the thread, as the kernel counts it.

use std::time::{Duration, Instant};

/// Counts from a moment on.
pub(crate) struct CpuClock {
    began: Option<Duration>,
    wall: Instant,
}

impl CpuClock {
    pub(crate) fn start() -> Self {
        Self { began: used(), wall: Instant::now() }
    }

    /// Wall-clock time where the kernel counts nothing, and for what is shorter than its ticks.
    pub(crate) fn elapsed(&self) -> Duration {
        let wall = self.wall.elapsed();
        match (self.began, used()) {
            (Some(began), Some(now)) if wall > Duration::from_millis(40) => now - began,
            _ => wall,
        }
    }
}

fn used() -> Option<Duration> {
    // Giving the processor away makes the kernel bring its count up to date.
    std::thread::yield_now();
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}
