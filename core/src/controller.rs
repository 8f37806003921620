//! The harness around a reconciler: what it watches, a queue of requests, workers, retries.
//!
//! | what | where |
//! |---|---|
//! | from changes to requests | [`Controller::watch`] with a [`predicate`] and a [`map`] |
//! | each request once at a time, failures later and later | [`WorkQueue`] |
//! | clean up before an object goes | [`finalizer`] |
//! | conditions of a status | [`conditions`] |
//! | server-side apply | [`ClientExt::apply`](crate::client::ClientExt::apply) |
//! | events | [`Recorder`](crate::events::Recorder) |
//! | one of several processes works | [`leaderelection`](crate::leaderelection) |
//! | what is counted | [`metrics`](crate::metrics) |

pub mod conditions;
mod finalizer;
pub mod map;
pub mod predicate;
mod source;

pub use finalizer::{FinalizerError, Phase, finalizer};
pub use source::enqueue;

use crate::component::{BoxError, Component, Ready, Shutdown};
use crate::metrics::{ControllerMetrics, Metrics, Outcome};
use crate::workqueue::{Backoff, WorkQueue};
use async_trait::async_trait;
use futures::future::join_all;
use std::fmt::{Debug, Display};
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// So many failures of a request in a row are told to everyone; fewer only to those who ask for details.
const WORTH_A_WARNING: u32 = 5;

/// Makes the world as an object says it shall be.
#[async_trait]
pub trait Reconciler: Send + Sync + 'static {
    /// What a request names: mostly an [`ObjectKey`].
    type Request: Hash + Eq + Clone + Debug + Send + Sync + 'static;
    /// Why it can fail. The request comes back after a wait.
    type Error: Display + Send;

    /// Does what is to be done for one request. Never runs twice at once for the same request; may run again
    /// at any time, so doing it twice must be the same as doing it once.
    async fn reconcile(&self, request: &Self::Request) -> Result<Action, Self::Error>;
}

/// What a reconciler wants next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing until something changes.
    Done,
    /// To be called again after this time, even if nothing changes.
    RequeueAfter(Duration),
}

/// Namespace (empty for the cluster's) and name: what most requests are.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectKey {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
}

/// A reconciler with its queue and workers. Sources add requests to [`Controller::queue`].
pub struct Controller<R: Reconciler> {
    name: &'static str,
    reconciler: Arc<R>,
    queue: Arc<WorkQueue<R::Request>>,
    workers: usize,
    synced: Vec<Ready>,
    metrics: ControllerMetrics,
}

// === impl ObjectKey ===

impl ObjectKey {
    /// From its parts.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    /// The key of an object.
    #[must_use]
    pub fn of(object: &crate::Object) -> Self {
        Self::new(object.namespace(), object.name())
    }
}

impl Display for ObjectKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.namespace.as_str() {
            "" => f.write_str(&self.name),
            namespace => write!(f, "{namespace}/{}", self.name),
        }
    }
}

// === impl Controller ===

impl<R: Reconciler> Controller<R> {
    /// A controller with one worker, counted with the process's metrics.
    pub fn new(name: &'static str, reconciler: R) -> Self {
        Self::counted(name, reconciler, Metrics::process())
    }

    /// A controller with one worker, counted there.
    pub fn counted(name: &'static str, reconciler: R, metrics: &Metrics) -> Self {
        let queue = WorkQueue::named(name, Backoff::default(), metrics);
        let (reconciler, metrics) = (Arc::new(reconciler), metrics.controller(name));
        Self { name, reconciler, queue, workers: 1, synced: Vec::new(), metrics }
    }

    /// So many requests at once.
    #[must_use]
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers.max(1);
        self
    }

    /// Starts working only when this cache is complete.
    #[must_use]
    pub fn after(mut self, synced: Ready) -> Self {
        self.synced.push(synced);
        self
    }

    /// Where sources put requests.
    #[must_use]
    pub fn queue(&self) -> Arc<WorkQueue<R::Request>> {
        self.queue.clone()
    }

    async fn work(&self) {
        while let Some(request) = self.queue.next().await {
            self.metrics.active.inc();
            self.attempt(&request).await;
            self.metrics.active.dec();
            self.queue.done(&request);
        }
    }

    async fn attempt(&self, request: &R::Request) {
        let began = Instant::now();
        let result = self.reconciler.reconcile(request).await;
        let outcome = match &result {
            Ok(Action::Done) => Outcome::Success,
            Ok(Action::RequeueAfter(_)) => Outcome::RequeueAfter,
            Err(_) => Outcome::Error,
        };
        self.metrics.note(outcome, began.elapsed());
        match result {
            Ok(Action::Done) => self.queue.forget(request),
            Ok(Action::RequeueAfter(delay)) => {
                self.queue.forget(request);
                self.queue.add_after(request.clone(), delay);
            }
            Err(error) => {
                let failures = self.queue.add_rate_limited(request.clone());
                let controller = self.name;
                // Another writer came first, a part is not there yet: a few attempts set that right.
                if failures < WORTH_A_WARNING {
                    tracing::debug!(controller, ?request, %error, failures, "will retry");
                } else {
                    tracing::warn!(controller, ?request, %error, failures, "reconcile keeps failing");
                }
            }
        }
    }
}

#[async_trait]
impl<R: Reconciler> Component for Controller<R> {
    fn name(&self) -> &str {
        self.name
    }

    async fn run(self: Box<Self>, ready: Ready, shutdown: Shutdown) -> Result<(), BoxError> {
        let caches = join_all(self.synced.iter().map(Ready::wait));
        if shutdown.run_until_cancelled(caches).await.is_none() {
            return Ok(());
        }
        ready.set();
        self.metrics.limit.set(i64::try_from(self.workers).unwrap_or(i64::MAX));
        let close = async {
            shutdown.cancelled().await;
            self.queue.close();
        };
        // Workers finish the request at hand, then see that the queue is closed.
        futures::join!(close, join_all((0..self.workers).map(|_| self.work())));
        Ok(())
    }
}

#[cfg(test)]
mod tests;
