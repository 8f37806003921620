//! Finds the containers of earlier lives.

use super::super::Inner;
use super::super::client::ShimClient;
use super::super::protocol::{Reply, Request};
use super::super::state::{self, ContainerRecord, ExitRecord, RunRecord, io_error};
use super::run::{follow, settle};
use super::{Entry, Own};
use crate::runtime::{ContainerState, Result};
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// Finds the containers of earlier lives.
pub(in super::super) async fn recover(inner: &Arc<Inner>) -> Result<()> {
    let folder = inner.layout.containers();
    for found in fs::read_dir(&folder).map_err(|e| io_error(&folder, e))? {
        let path = found.map_err(|e| io_error(&folder, e))?.path();
        match state::read::<ContainerRecord>(&path.join("container.json"))? {
            Some(record) => recover_one(inner, record, &path).await?,
            // Its making was cut short.
            None => state::remove(&path)?,
        }
    }
    Ok(())
}

async fn recover_one(inner: &Arc<Inner>, record: ContainerRecord, folder: &Path) -> Result<()> {
    let exit = state::read::<ExitRecord>(&folder.join("exit.json"))?;
    let run = state::read::<RunRecord>(&folder.join("run.json"))?;
    let state = match (&exit, &run) {
        (Some(exit), _) => exit.state(),
        (None, Some(run)) => run.state(),
        (None, None) => ContainerState::Created,
    };
    let own = Own::new(inner.options.images.pin(&record.layers));
    let entry = inner.shelf.insert(Entry::new(&inner.layout, record, state, own));
    match ShimClient::connect(folder).await? {
        Some(client) => meet(inner, &entry, client).await,
        None if exit.is_none() && run.is_some() => {
            settle(inner, &entry, "the container's shim was killed, or the node restarted").await
        }
        None => Ok(()),
    }
}

/// Makes acquaintance with a shim that runs.
async fn meet(inner: &Arc<Inner>, entry: &Arc<Entry>, mut client: ShimClient) -> Result<()> {
    client.send(&Request::Watch, &[]).await?;
    entry.shim.send_replace(true);
    match client.answer().await {
        // It may have been starting when the agent went away.
        Ok(Reply::Started { pid, started_at }) => {
            let started = RunRecord { pid, started_at }.state();
            entry.state.send_if_modified(|state| {
                let new = *state == ContainerState::Created;
                if new {
                    *state = started;
                }
                new
            });
        }
        Ok(reply) => tracing::warn!(?reply, "a shim says something unexpected"),
        // Its records are believed; when it ends, that is seen.
        Err(e) => {
            tracing::warn!(container = entry.record.id.0, error = %e, "a shim does not answer")
        }
    }
    tokio::spawn(follow(Arc::downgrade(inner), entry.clone(), Some(client)));
    Ok(())
}
