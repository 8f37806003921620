//! Ends and removes containers.

use super::super::client::{ANSWER, ShimClient};
use super::super::protocol::{Reply, Request};
use super::super::state;
use super::super::{Inner, cgroup};
use super::Entry;
use crate::runtime::linux::containers::KILL;
use crate::runtime::linux::lost;
use crate::runtime::{ContainerId, Error, Result};
use std::sync::Arc;
use std::time::Duration;

/// Asks a container to end, and kills it when it doesn't in time.
pub(in super::super) async fn stop(
    inner: &Arc<Inner>,
    id: &ContainerId,
    grace: Duration,
) -> Result<()> {
    let Ok(entry) = inner.shelf.get(id) else { return Ok(()) };
    entry.stop(grace, |number| signal(&entry, number)).await
}

async fn signal(entry: &Entry, number: i32) -> Result<()> {
    let Some(mut client) = ShimClient::connect(&entry.folder).await? else { return Ok(()) };
    client.send(&Request::Kill(number), &[]).await?;
    match tokio::time::timeout(ANSWER, client.receive()).await {
        Ok(Ok(Some(Reply::Failed(words)))) => {
            // It ended just now: what is waited for comes.
            tracing::debug!(container = entry.record.id.0, words, "signal not sent");
            Ok(())
        }
        Ok(done) => done.map(|_| ()),
        Err(_) => Err(Error::Failed("the container's shim does not answer".into())),
    }
}

/// Removes a container and what it wrote.
pub(in super::super) async fn remove(inner: &Arc<Inner>, id: &ContainerId) -> Result<()> {
    let Ok(entry) = inner.shelf.get(id) else { return Ok(()) };
    let _one = entry.change.lock().await;
    stop(inner, id, Duration::ZERO).await?;
    let mut shim = entry.shim.subscribe();
    if tokio::time::timeout(KILL, shim.wait_for(|runs| !runs)).await.is_err() {
        return Err(Error::Failed(format!("the shim of container {} does not end", id.0)));
    }
    cgroup::remove_soon(&entry.record.cgroup).await?;
    let folder = entry.folder.clone();
    tokio::task::spawn_blocking(move || state::remove(&folder)).await.map_err(lost)??;
    inner.shelf.remove(id);
    Ok(())
}
