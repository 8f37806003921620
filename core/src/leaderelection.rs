//! One of several processes does the work: leader election on a Lease (`coordination.k8s.io/v1`), as client-go has it.
//!
//! Who holds the Lease leads, and renews it every [`Timing::retry_period`]. Who was not able to renew it for
//! [`Timing::renew_deadline`] leads no more, and knows that by itself, without a word from the server. Others take the
//! Lease when it stood unchanged for [`Timing::lease_duration`] by their own clocks, or at once when it was given back.
//! So there is a time between two leaders in which nobody leads, never one in which two do: clocks need not agree, they
//! only have to run at about the same speed.
//!
//! Whoever leads writes through [`LeaderElector::fenced`], which refuses every write once the Lease is lost or its renew
//! deadline has passed: a process that was stopped for a minute and goes on writes nothing.
//!
//! ```no_run
//! # use windlass_core::{client::Client, clock::Env, component::Shutdown, leaderelection::LeaderElector};
//! # async fn elect(client: std::sync::Arc<dyn Client>, shutdown: Shutdown) -> Result<(), windlass_core::leaderelection::Lost> {
//! let elector = LeaderElector::new(client, Env::system(), "kube-system", "my-controller", "host-a_1234");
//! let client = elector.fenced();
//! elector.run(&shutdown, async |shutdown| {
//!     // Start controllers that write through `client`; return when `shutdown` is cancelled.
//! #   drop((client, shutdown));
//! }).await?;
//! # Ok(())
//! # }
//! ```

mod acquire;
mod fence;
mod keep;
mod record;
mod timing;

pub use timing::{BadTiming, Timing};

use crate::client::{Client, Key};
use crate::clock::Env;
use crate::component::Shutdown;
use crate::events::{EventType, Recorder, Reference};
use crate::metrics::Metrics;
use crate::scheme::LEASES;
use fence::{Fence, FencedClient};
use record::Held;
use std::pin::pin;
use std::sync::Arc;
use tokio::time::timeout;

/// Why a leader leads no more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// The Lease could not be renewed in time.
    #[error("the lease {0} was not renewed in time: another may lead now")]
    Late(String),
    /// Another holds it.
    #[error("the lease {lease} is held by {holder:?} now")]
    Taken {
        /// Namespace and name of the Lease.
        lease: String,
        /// Who holds it.
        holder: String,
    },
}

/// A candidate for one Lease.
pub struct LeaderElector {
    client: Arc<dyn Client>,
    env: Env,
    lease: Key,
    identity: String,
    timing: Timing,
    fence: Fence,
    recorder: Option<Recorder>,
    metrics: Metrics,
}

// === impl LeaderElector ===

impl LeaderElector {
    /// A candidate called `identity`, which no other may be called, for the Lease `name`. Needs the rights to get, create
    /// and update that Lease; with those to list and watch it, it takes over at once when a leader steps down.
    pub fn new(
        client: Arc<dyn Client>,
        env: Env,
        namespace: &str,
        name: &str,
        identity: impl Into<String>,
    ) -> Self {
        let fence = Fence::new(env.clock.clone());
        Self {
            client,
            env,
            lease: Key::new(LEASES, namespace, name),
            identity: identity.into(),
            timing: Timing::default(),
            fence,
            recorder: None,
            metrics: Metrics::process().clone(),
        }
    }

    /// With other times than Kubernetes' own.
    ///
    /// # Errors
    /// When they don't fit together.
    pub fn timing(mut self, timing: Timing) -> Result<Self, BadTiming> {
        self.timing = timing.check()?;
        Ok(self)
    }

    /// Says with events about the Lease who leads.
    #[must_use]
    pub fn recorder(mut self, recorder: Recorder) -> Self {
        self.recorder = Some(recorder);
        self
    }

    /// Counts there instead of with the process's metrics.
    #[must_use]
    pub fn metrics(mut self, metrics: &Metrics) -> Self {
        self.metrics = metrics.clone();
        self
    }

    /// The client to lead with. It reads always, and writes only while the Lease is held: else a write ends in
    /// [`crate::Error::NotLeader`], also one under way. What the server has in hand already can't be called back; the
    /// time between the renew deadline and the end of the Lease is there for it to finish.
    #[must_use]
    pub fn fenced(&self) -> Arc<dyn Client> {
        Arc::new(FencedClient::new(self.client.clone(), self.fence.clone()))
    }

    /// Waits for the Lease, then leads until `lead` ends, `shutdown` is cancelled, or the Lease is lost. The Lease is given
    /// back when `lead` has ended. `None`: shut down before it came to that.
    ///
    /// # Errors
    /// The Lease was lost. `lead` was told to stop, and dropped when it did not within [`Timing::retry_period`]. A process
    /// does best to end then, as Kubernetes' own do: started again, it is a candidate with fresh caches.
    pub async fn run<T>(
        self,
        shutdown: &Shutdown,
        lead: impl AsyncFnOnce(Shutdown) -> T,
    ) -> Result<Option<T>, Lost> {
        let Some(held) = shutdown.run_until_cancelled(self.acquire()).await else {
            return Ok(None);
        };
        self.tell("became leader");
        self.metrics.leads(&self.lease.name, true);
        let stop = shutdown.child_token();
        let mut leading = pin!(lead(stop.clone()));
        let mut held = held;
        let ended = tokio::select! {
            // First the Lease: who has lost it does nothing more.
            biased;
            lost = self.keep(&mut held) => Err(lost),
            value = &mut leading => Ok(value),
        };
        let result = match ended {
            Ok(value) => {
                self.release(held).await;
                Ok(Some(value))
            }
            Err(lost) => {
                self.fence.close();
                stop.cancel();
                // Whether it ends in time or not, what it writes is refused.
                drop(timeout(self.timing.retry_period, leading).await);
                Err(lost)
            }
        };
        self.metrics.leads(&self.lease.name, false);
        result
    }

    /// The Lease is held from `since` on, until the renew deadline.
    fn holds_since(&self, since: tokio::time::Instant, wall: jiff::Timestamp) {
        self.fence.open_until(since, wall, self.timing.renew_deadline);
    }

    /// Gives the Lease back, so that others need not wait for its end.
    async fn release(&self, held: Held) {
        self.fence.close();
        let update = async {
            let body = record::released(&held, self.env.clock.now())?;
            self.client.update(&self.lease, body, &self.options()).await
        };
        match timeout(self.timing.renew_deadline, update).await {
            Ok(Ok(_)) => self.tell("stopped leading"),
            Ok(Err(error)) => tracing::warn!(lease = %self.lease, %error, "lease not given back"),
            Err(_) => tracing::warn!(lease = %self.lease, "lease not given back in time"),
        }
    }

    fn tell(&self, what: &str) {
        let (lease, identity) = (&self.lease, &self.identity);
        tracing::info!(%lease, %identity, "{what}");
        let Some(recorder) = &self.recorder else { return };
        let about = Reference {
            api_version: LEASES.group_version().to_string(),
            kind: "Lease".into(),
            namespace: lease.namespace.clone().unwrap_or_default(),
            name: lease.name.clone(),
            ..Reference::default()
        };
        recorder.event(about, EventType::Normal, "LeaderElection", &format!("{identity} {what}"));
    }

    fn name(&self) -> String {
        format!("{}/{}", self.lease.namespace.as_deref().unwrap_or_default(), self.lease.name)
    }
}

#[cfg(test)]
mod tests;
