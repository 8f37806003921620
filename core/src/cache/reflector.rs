//! Keeps something in step with the server: lists, then watches, for ever.

use crate::client::{Client, ListOptions, Scope, WatchBatch, WatchEvent};
use crate::component::Shutdown;
use crate::error::{Error, Result};
use crate::meta::Reason;
use crate::object::Object;
use crate::workqueue::Backoff;
use futures::StreamExt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// A watch that lived so long was a good one: its end is no failure.
const LASTING: Duration = Duration::from_secs(1);

/// What a reflector fills.
pub trait Sink: Send + Sync {
    /// These are all objects there are.
    fn replace(&self, objects: Vec<Arc<Object>>);
    /// This happened, in this order.
    fn apply(&self, batch: WatchBatch);
    /// All up to this version has been told. Does nothing unless the sink wants to know.
    fn reached(&self, _resource_version: u64) {}
}

/// Lists and watches a scope into a [`Sink`].
pub struct Reflector {
    client: Arc<dyn Client>,
    scope: Scope,
    options: ListOptions,
    backoff: Backoff,
}

impl Reflector {
    /// Of a scope's objects that the options' selectors take; other options are the reflector's own.
    #[must_use]
    pub fn new(client: Arc<dyn Client>, scope: Scope, options: ListOptions) -> Self {
        let backoff = Backoff { first: Duration::from_millis(100), max: Duration::from_secs(30) };
        Self { client, scope, options, backoff }
    }

    /// Runs until shutdown. Survives every error: watches on from where it was when the server was just not there or
    /// busy, and else lists again; also when the server knows nothing of that version, having lost its data.
    pub async fn run(&self, sink: &dyn Sink, shutdown: Shutdown) {
        // Ends by the shutdown only.
        shutdown.run_until_cancelled(self.follow(sink)).await;
    }

    async fn follow(&self, sink: &dyn Sink) {
        let (mut version, mut failures) = (None, 0);
        loop {
            let began = Instant::now();
            let result = self.step(sink, &mut version).await;
            let lasted = began.elapsed() >= LASTING;
            if lasted {
                failures = 0;
            }
            if let Err(error) = &result {
                self.note(error);
                version = version.filter(|_| may_go_on(error));
            }
            // A watch that ends at once, again and again, must not spin either.
            if result.is_err() || !lasted {
                tokio::time::sleep(self.backoff.wait(failures)).await;
                failures += 1;
            }
        }
    }

    fn note(&self, error: &Error) {
        let resource = &self.scope.resource;
        if error.is_expired() {
            tracing::debug!(%resource, %error, "fell behind, will list again");
        } else {
            tracing::warn!(%resource, %error, "list or watch failed, will retry");
        }
    }

    /// Lists if there is no version to go on from, then watches until the watch ends.
    async fn step(&self, sink: &dyn Sink, at: &mut Option<u64>) -> Result<()> {
        let from = match *at {
            Some(version) => version,
            None => *at.insert(self.list(sink).await?),
        };
        let options = ListOptions {
            resource_version: from.to_string(),
            allow_bookmarks: true,
            ..self.options.clone()
        };
        let mut stream = self.client.watch(&self.scope, &options).await?;
        while let Some(batch) = stream.next().await {
            let batch = batch?;
            *at = batch.iter().map(version_of).max().max(*at);
            sink.apply(batch);
            sink.reached(at.unwrap_or_default());
        }
        Ok(())
    }

    async fn list(&self, sink: &dyn Sink) -> Result<u64> {
        let list = self.client.list(&self.scope, &self.options).await?;
        let version = list.meta.resource_version.parse().map_err(|error| {
            Error::decode(format!("resource version of a list of {}", self.scope.resource), error)
        })?;
        sink.replace(list.items);
        sink.reached(version);
        Ok(version)
    }
}

/// Whether a version may still be good after this error.
fn may_go_on(error: &Error) -> bool {
    match error {
        Error::Transport(_) => true,
        Error::Decode { .. } | Error::NotLeader => false,
        Error::Status(status) => matches!(
            status.reason,
            Reason::TooManyRequests
                | Reason::ServiceUnavailable
                | Reason::InternalError
                | Reason::ServerTimeout
                | Reason::Unauthorized
                | Reason::Forbidden
        ),
    }
}

pub(super) fn version_of(event: &WatchEvent) -> u64 {
    match event {
        WatchEvent::Added(object) | WatchEvent::Modified(object) | WatchEvent::Deleted(object) => {
            object.resource_version()
        }
        WatchEvent::Bookmark { resource_version, .. } => *resource_version,
    }
}
