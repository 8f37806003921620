//! The life of a part: it runs, says when it is ready, and stops when asked.

use async_trait::async_trait;
use tokio::sync::watch;
pub use tokio_util::sync::CancellationToken as Shutdown;

/// Why a component ended.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A part that runs until it is told to stop.
#[async_trait]
pub trait Component: Send {
    /// Its name, as in `windlass up`'s checklist and in logs.
    fn name(&self) -> &str;

    /// Runs. Calls [`Ready::set`] once it does its job; returns soon after `shutdown` is cancelled,
    /// with its work handed back. An error ends the process it is the heart of.
    async fn run(self: Box<Self>, ready: Ready, shutdown: Shutdown) -> Result<(), BoxError>;
}

/// Where a component says that it does its job. Clones are the same flag.
#[derive(Clone, Debug)]
pub struct Ready(watch::Sender<bool>);

impl Default for Ready {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl Ready {
    /// Says so. May be called again.
    pub fn set(&self) {
        self.0.send_replace(true);
    }

    /// Whether it was said.
    #[must_use]
    pub fn is_set(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns once it was said.
    pub async fn wait(&self) {
        // The sender is `self`, so the channel can't close while this waits.
        self.0.subscribe().wait_for(|set| *set).await.ok();
    }
}
