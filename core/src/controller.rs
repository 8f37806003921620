//! The harness around a reconciler: a queue of requests, workers, retries.

use crate::component::{BoxError, Component, Ready, Shutdown};
use crate::workqueue::WorkQueue;
use async_trait::async_trait;
use futures::future::join_all;
use std::fmt::{Debug, Display};
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

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
    /// A controller with one worker.
    pub fn new(name: &'static str, reconciler: R) -> Self {
        let queue = Arc::new(WorkQueue::default());
        Self { name, reconciler: Arc::new(reconciler), queue, workers: 1, synced: Vec::new() }
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
            self.attempt(&request).await;
            self.queue.done(&request);
        }
    }

    async fn attempt(&self, request: &R::Request) {
        match self.reconciler.reconcile(request).await {
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
