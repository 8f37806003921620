//! The components of a cluster while they run.

use super::{Error, Progress};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;
use windlass_core::component::{BoxError, Component, Ready, Shutdown};

/// Running components. The first that ends with an error ends all.
pub(super) struct Parts {
    tasks: JoinSet<(String, Result<(), BoxError>)>,
    shutdown: Shutdown,
    start: Instant,
    progress: Progress,
}

impl Parts {
    pub(super) fn new(progress: Progress, start: Instant) -> Self {
        Self { tasks: JoinSet::new(), shutdown: Shutdown::new(), start, progress }
    }

    pub(super) fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }

    /// Says that a part is ready.
    pub(super) fn ready(&self, name: &str) {
        (self.progress)(name, self.start.elapsed());
    }

    /// Starts a component.
    pub(super) fn start(&mut self, component: Box<dyn Component>) -> Ready {
        let (name, ready) = (component.name().to_owned(), Ready::default());
        let (told, shutdown) = (ready.clone(), self.shutdown.child_token());
        self.tasks.spawn(async move { (name, component.run(told, shutdown).await) });
        ready
    }

    /// Starts components and returns when all of them are ready, or one has failed.
    pub(super) async fn start_all(
        &mut self,
        name: &'static str,
        components: Vec<Box<dyn Component>>,
    ) -> Result<(), Error> {
        let waiting: Vec<_> =
            components.into_iter().map(|component| self.start(component)).collect();
        let all = async {
            for ready in &waiting {
                ready.wait().await;
            }
        };
        tokio::select! {
            () = all => {}
            ended = self.failure() => return Err(ended),
        }
        self.ready(name);
        Ok(())
    }

    /// Returns when a part has failed.
    pub(super) async fn failure(&mut self) -> Error {
        while let Some(ended) = self.tasks.join_next().await {
            match ended {
                Ok((_, Ok(()))) => {}
                Ok((name, Err(error))) => {
                    return Error::part("cluster", format!("{name} failed: {error}"));
                }
                Err(error) => return Error::part("cluster", format!("a part ended: {error}")),
            }
        }
        std::future::pending().await
    }

    /// Stops all parts and waits for them, so long at most.
    pub(super) async fn stop(&mut self, patience: Duration) {
        self.shutdown.cancel();
        let all = async {
            while let Some(ended) = self.tasks.join_next().await {
                if let Ok((name, Err(error))) = ended {
                    tracing::warn!(name, %error, "did not stop cleanly");
                }
            }
        };
        if tokio::time::timeout(patience, all).await.is_err() {
            tracing::warn!("some parts did not stop in time");
            self.tasks.abort_all();
        }
    }
}
