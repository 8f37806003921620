//! How much load, and when.

use crate::Result;
use futures::future::join_all;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Work becomes due in steps of this length.
const STEP: Duration = Duration::from_millis(1);

/// Numbers for pieces of work that many do at once, until there were enough or the time is over.
pub struct Numbers {
    count: u64,
    next: AtomicU64,
    deadline: Instant,
}

// === impl Numbers ===

impl Numbers {
    /// At most so many, for at most so many seconds from now.
    #[must_use]
    pub fn new(count: u64, seconds: f64) -> Self {
        let deadline = Instant::now() + Duration::from_secs_f64(seconds);
        Self { count, next: AtomicU64::new(0), deadline }
    }

    /// The next one; none when there is enough.
    pub fn next(&self) -> Option<u64> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        (number < self.count && Instant::now() < self.deadline).then_some(number)
    }
}

/// Does all, numbered from 0, so many a second; 0: as many as go. What is due at the same time is done at the same time.
///
/// # Errors
/// The first that one of them gives.
pub async fn at_rate<F>(count: u64, rate: u64, each: impl Fn(u64) -> F) -> Result<()>
where
    F: Future<Output = Result<()>>,
{
    let start = Instant::now();
    let mut timer = tokio::time::interval(STEP);
    let mut done = 0;
    while done < count {
        timer.tick().await;
        let due = match rate {
            0 => done + 1000,
            rate => (start.elapsed().as_secs_f64() * rate as f64) as u64,
        };
        let due = due.min(count);
        join_all((done..due).map(&each)).await.into_iter().collect::<Result<()>>()?;
        done = done.max(due);
    }
    Ok(())
}
