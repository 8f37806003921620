//! Drives the backend: what changed, or everything when it may have lost the thread.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, sleep};
use windlass_core::component::{Ready, Shutdown};
use windlass_core::workqueue::Backoff;

use super::Shared;
use crate::backend::{Backend, BackendError};
use crate::metrics::Sync;
use crate::model::Family;

/// Waits between attempts after a failure.
const RETRY: Backoff = Backoff { first: Duration::from_millis(100), max: Duration::from_secs(30) };

/// After a failure a change is tried no sooner than this.
const PATIENCE: Duration = Duration::from_secs(1);

pub(super) struct Driver {
    shared: Arc<Shared>,
    backend: Box<dyn Backend>,
    min_interval: Duration,
    /// What the next sync does.
    next: Sync,
    failures: u32,
    losses: Losses,
    /// Since when the endpoints have changed that the next success carries out.
    changed: Vec<(Family, Timestamp)>,
}

/// How often somebody else took the rules away lately.
#[derive(Debug, Default)]
struct Losses {
    count: u32,
    last: Option<Instant>,
}

// === impl Driver ===

impl Driver {
    pub(super) fn new(
        shared: Arc<Shared>,
        backend: Box<dyn Backend>,
        min_interval: Duration,
    ) -> Self {
        Self {
            shared,
            backend,
            min_interval,
            next: Sync::Full,
            failures: 0,
            losses: Losses::default(),
            changed: Vec::new(),
        }
    }

    /// Runs until shutdown. Rules stay in place then: connections outlive the proxy.
    pub(super) async fn run(mut self, ready: &Ready, shutdown: &Shutdown) {
        loop {
            match self.sync().await {
                Ok(()) => self.succeeded(ready),
                Err(error) => self.failed(&error),
            }
            if shutdown.run_until_cancelled(self.until_next()).await.is_none() {
                return;
            }
        }
    }

    async fn sync(&mut self) -> Result<(), BackendError> {
        let started = Instant::now();
        let (change, snapshot) = {
            let mut trackers = self.shared.trackers.lock();
            self.shared.health.began(self.shared.env.clock.now());
            let change = trackers.take();
            self.changed.extend(trackers.latency.take());
            self.shared.metrics.taken(trackers.services.without_local());
            let snapshot = (self.next == Sync::Full).then(|| trackers.snapshot());
            (change, snapshot)
        };
        match snapshot {
            Some(state) => self.backend.resync(&state).await?,
            None if change.is_empty() => return Ok(()),
            None => self.backend.apply(&change).await?,
        }
        let took = started.elapsed();
        tracing::debug!(sync = ?self.next, ?took, updated = change.updated.len(), removed = change.removed.len(), policies = change.policies.len(), "synced");
        self.shared.metrics.synced(self.next, took, self.shared.env.clock.now());
        Ok(())
    }

    fn succeeded(&mut self, ready: &Ready) {
        if self.failures > 0 {
            tracing::info!(backend = self.backend.name(), "rules are in step again");
        }
        (self.next, self.failures) = (Sync::Partial, 0);
        let now = self.shared.env.clock.now();
        self.shared.health.synced(now);
        for (family, changed) in self.changed.drain(..) {
            self.shared.metrics.programmed(family, changed, now);
        }
        ready.set();
    }

    fn failed(&mut self, error: &BackendError) {
        tracing::warn!(%error, backend = self.backend.name(), failures = self.failures, "sync failed; all will be synced again");
        (self.next, self.failures) = (Sync::Full, self.failures.saturating_add(1));
        self.shared.metrics.failed();
        self.shared.health.failed(self.shared.env.clock.now());
    }

    /// Waits for a reason to sync. The pause after each sync lets the changes of a burst go together.
    async fn until_next(&mut self) {
        if self.failures > 0 {
            let pause = RETRY.wait(self.failures - 1);
            // A port that can't be served for long must not keep the changes of others back as long.
            sleep(pause.min(PATIENCE)).await;
            let rest = sleep(pause.saturating_sub(PATIENCE));
            tokio::select! {
                () = rest => {}
                () = self.shared.changed.notified() => {}
            }
            return;
        }
        sleep(self.min_interval).await;
        tokio::select! {
            () = self.shared.changed.notified() => {}
            () = self.backend.lost() => self.after_loss().await,
        }
    }

    /// Takes it slower each time: another program that insists must not keep both busy for ever.
    async fn after_loss(&mut self) {
        let pause = self.losses.next_pause(Instant::now());
        tracing::warn!(
            backend = self.backend.name(),
            ?pause,
            "somebody else changed the rules; all will be synced again"
        );
        self.next = Sync::Full;
        sleep(pause).await;
    }
}

// === impl Losses ===

impl Losses {
    /// How long to wait now; counts anew after a quiet time.
    fn next_pause(&mut self, now: Instant) -> Duration {
        let lately = self.last.is_some_and(|last| now.duration_since(last) < 2 * RETRY.max);
        self.count = if lately { self.count.saturating_add(1) } else { 0 };
        self.last = Some(now);
        if lately { RETRY.wait(self.count - 1) } else { Duration::ZERO }
    }
}
