//! Containers, as the agent sees them.

mod end;
mod make;
mod recover;
mod run;

pub(super) use end::{remove, stop};
pub(super) use make::create;
pub(super) use recover::recover;
pub(super) use run::start;

use super::client::ShimClient;
use crate::images::store::Pin;
use crate::runtime::Result;
use crate::runtime::linux::containers::Container;
use tokio::sync::watch;

/// A container, as this process knows it.
pub(super) type Entry = Container<Own>;

/// What is its own of a container with a shim.
pub(super) struct Own {
    /// Whether its shim runs.
    shim: watch::Sender<bool>,
    _layers: Pin,
}

// === impl Own ===

impl Own {
    fn new(layers: Pin) -> Self {
        Self { shim: watch::Sender::new(false), _layers: layers }
    }
}

/// A connection to the shim of a container that runs.
pub(super) async fn connect(entry: &Entry) -> Result<ShimClient> {
    if !entry.is_running() {
        return Err(entry.not_running());
    }
    ShimClient::connect(&entry.folder).await?.ok_or_else(|| entry.not_running())
}
