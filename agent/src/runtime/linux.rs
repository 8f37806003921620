//! What runtimes on this kernel have in common: sandboxes without a process, the OCI configuration of a
//! container, records on disk, control groups, logs.

mod capabilities;
pub(in crate::runtime) mod cgroup;
pub(in crate::runtime) mod containers;
pub(in crate::runtime) mod describe;
pub(in crate::runtime) mod image_mount;
pub(in crate::runtime) mod log;
pub(crate) mod namespaces;
pub(in crate::runtime) mod sandboxes;
pub(in crate::runtime) mod seccomp;
pub(in crate::runtime) mod spec;
pub(in crate::runtime) mod state;
mod usage;
pub(in crate::runtime) mod users;

use crate::runtime::{Error, Event};
use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::sync::broadcast;

/// Events as a stream.
pub(in crate::runtime) fn events(
    receiver: broadcast::Receiver<Event>,
) -> BoxStream<'static, Event> {
    futures::stream::unfold(receiver, |mut receiver| async move {
        match receiver.recv().await {
            Ok(event) => Some((event, receiver)),
            Err(broadcast::error::RecvError::Lagged(_)) => Some((Event::Lost, receiver)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    })
    .boxed()
}

/// A task of this process was lost.
pub(in crate::runtime) fn lost(e: tokio::task::JoinError) -> Error {
    Error::Failed(format!("a task failed: {e}"))
}
