//! From candidate to leader.

use super::record::{Held, Observed, Record, Step, claimed, fresh};
use super::timing::JITTER;
use super::{LeaderElector, Timing};
use crate::cache::{Reflector, Sink};
use crate::client::{ListOptions, WatchBatch, WatchEvent, WriteOptions};
use crate::component::Shutdown;
use crate::error::Result;
use crate::object::Object;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

/// The Lease as a watch shows it.
struct Latest(watch::Sender<Option<Arc<Object>>>);

impl Sink for Latest {
    fn replace(&self, objects: Vec<Arc<Object>>) {
        self.0.send_replace(objects.into_iter().next());
    }

    fn apply(&self, batch: WatchBatch) {
        for event in batch {
            match event {
                WatchEvent::Added(lease) | WatchEvent::Modified(lease) => {
                    self.0.send_replace(Some(lease));
                }
                WatchEvent::Deleted(_) => {
                    self.0.send_replace(None);
                }
                WatchEvent::Bookmark { .. } => {}
            }
        }
    }
}

impl LeaderElector {
    /// Waits until the Lease is this candidate's.
    pub(super) async fn acquire(&self) -> Held {
        let (sender, latest) = watch::channel(None);
        let options = ListOptions {
            field_selector: format!("metadata.name={}", self.lease.name),
            ..ListOptions::default()
        };
        let reflector = Reflector::new(self.client.clone(), self.lease.scope(), options);
        let (sink, forever) = (Latest(sender), Shutdown::new());
        tokio::select! {
            held = self.compete(latest) => held,
            () = reflector.run(&sink, forever.clone()) => unreachable!("nobody ends it"),
        }
    }

    async fn compete(&self, mut latest: watch::Receiver<Option<Arc<Object>>>) -> Held {
        let mut observed: Option<Observed> = None;
        loop {
            // The server's word, not that of a watch that may be late, is what a claim stands on.
            let lease = match self.client.get(&self.lease).await {
                Ok(lease) => Some(lease),
                Err(error) if error.is_not_found() => None,
                Err(error) => {
                    tracing::warn!(lease = %self.lease, %error, "lease not read, will retry");
                    sleep(self.jittered(self.timing.retry_period)).await;
                    continue;
                }
            };
            let step = match lease.as_deref().map(Record::of) {
                None | Some(Err(_)) => Step::Claim,
                Some(Ok(record)) => {
                    let seen = Observed::note(observed.take(), record, Instant::now());
                    observed.insert(seen).decide(&self.identity, Instant::now())
                }
            };
            match step {
                Step::Claim => match self.claim(lease.as_deref()).await {
                    Ok(held) => return held,
                    Err(error) => {
                        tracing::debug!(lease = %self.lease, %error, "lease not claimed, will retry");
                        sleep(self.jittered(self.timing.retry_period)).await;
                    }
                },
                Step::WaitUntil(ends) => self.wait(&mut observed, &mut latest, ends).await,
            }
        }
    }

    /// Waits until the Lease may be had: until nobody holds it, or its holder was not heard of for too long.
    async fn wait(
        &self,
        observed: &mut Option<Observed>,
        latest: &mut watch::Receiver<Option<Arc<Object>>>,
        mut ends: Instant,
    ) {
        loop {
            // By chance one of several candidates is the first.
            let spread = self.timing.retry_period.mul_f64(self.chance());
            tokio::select! {
                () = sleep_until(ends + spread) => return,
                changed = latest.changed() => if changed.is_err() { return },
            }
            let record = latest.borrow_and_update().as_deref().map(Record::of);
            let Some(Ok(record)) = record else { return };
            let seen = Observed::note(observed.take(), record, Instant::now());
            match observed.insert(seen).decide(&self.identity, Instant::now()) {
                Step::Claim => return,
                Step::WaitUntil(later) => ends = later,
            }
        }
    }

    /// Writes oneself into the Lease, if it is still as it was read.
    pub(super) async fn claim(&self, lease: Option<&Object>) -> Result<Held> {
        let (began, wall) = (Instant::now(), self.env.clock.now());
        let (identity, timing): (&str, &Timing) = (&self.identity, &self.timing);
        let held = match lease {
            None => {
                let namespace = self.lease.namespace.as_deref().unwrap_or_default();
                let body = fresh(namespace, &self.lease.name, identity, timing, wall);
                self.client.create(&self.lease, body, &self.options()).await?
            }
            Some(lease) => {
                let body = claimed(lease, identity, timing, wall)?;
                self.client.update(&self.lease, body, &self.options()).await?
            }
        };
        // It counts from before the request: nobody can have seen it earlier.
        self.holds_since(began, wall);
        Ok(held)
    }

    pub(super) fn options(&self) -> WriteOptions {
        WriteOptions::manager(self.identity.as_str())
    }

    fn jittered(&self, period: Duration) -> Duration {
        period.mul_f64(1.0 + JITTER * self.chance())
    }

    /// From 0 to 1.
    fn chance(&self) -> f64 {
        self.env.random.next() as f64 / u64::MAX as f64
    }
}
