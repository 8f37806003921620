//! Starts containers, and follows them until they end.

use super::super::client::ShimClient;
use super::super::protocol::{Reply, Request};
use super::super::state::{self, ExitRecord, RunRecord, io_error};
use super::super::{Inner, cgroup};
use super::Entry;
use crate::runtime::{ContainerId, Error, Event, Result};
use std::fs::{self, File};
use std::process::Stdio;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::io::AsyncReadExt;

/// How long a container may take to start.
const START: Duration = Duration::from_secs(60);
/// Longest word of a shim about a start.
const MAX_WORD: u64 = 64 * 1024;

/// Starts a container, unless it runs.
pub(in super::super) async fn start(inner: &Arc<Inner>, id: &ContainerId) -> Result<()> {
    let entry = inner.shelf.get(id)?;
    let Some(_one) = entry.begin().await? else { return Ok(()) };
    let started = launch(inner, &entry).await;
    if let Err(e) = &started {
        settle(inner, &entry, &e.to_string()).await?;
    }
    started
}

/// Starts the shim and waits for its word.
async fn launch(inner: &Arc<Inner>, entry: &Arc<Entry>) -> Result<()> {
    let helper = &inner.options.helper;
    let log = entry.folder.join("shim.log");
    let stderr =
        File::options().create(true).append(true).open(&log).map_err(|e| io_error(&log, e))?;
    let mut child = tokio::process::Command::new(helper)
        .args(["oci-shim", "run"])
        .arg(&entry.folder)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(stderr)
        .spawn()
        .map_err(|e| io_error(helper, e))?;
    let mut word = Vec::new();
    let said = async {
        if let Some(stdout) = child.stdout.take() {
            stdout.take(MAX_WORD).read_to_end(&mut word).await.map_err(|e| io_error(helper, e))?;
        }
        Ok(())
    };
    let heard = tokio::time::timeout(START, said).await;
    if heard.is_err() {
        child.start_kill().map_err(|e| io_error(helper, e))?;
    }
    // Somebody has to wait for the shim when it ends.
    tokio::spawn(async move { child.wait().await });
    heard.map_err(|_| Error::Failed("the container's start took too long".into()))??;
    match serde_json::from_slice(word.trim_ascii_end()) {
        Ok(Reply::Started { pid, started_at }) => {
            watch_shim(inner, entry, RunRecord { pid, started_at }).await
        }
        Ok(Reply::Failed(words)) => Err(Error::Start(words)),
        _ => {
            let words = fs::read_to_string(&log).unwrap_or_default();
            Err(Error::Failed(format!("the container's shim failed: {}", words.trim())))
        }
    }
}

/// Follows a container that runs until its shim is gone.
async fn watch_shim(inner: &Arc<Inner>, entry: &Arc<Entry>, run: RunRecord) -> Result<()> {
    entry.shim.send_replace(true);
    entry.state.send_replace(run.state());
    inner.shelf.publish(Event::Started(entry.record.id.clone()));
    let client = ShimClient::connect(&entry.folder).await?;
    if let Some(client) = &client {
        client.send(&Request::Watch, &[]).await?;
    }
    tokio::spawn(follow(Arc::downgrade(inner), entry.clone(), client));
    Ok(())
}

/// Doesn't keep the runtime alive: what happens after it is dropped is found by the next one.
pub(super) async fn follow(inner: Weak<Inner>, entry: Arc<Entry>, client: Option<ShimClient>) {
    if let Some(mut client) = client {
        loop {
            match client.receive().await {
                Ok(Some(Reply::Exited(_))) => conclude(&inner, &entry).await,
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(e) => {
                    tracing::warn!(container = entry.record.id.0, error = %e, "lost a container's shim");
                    break;
                }
            }
        }
    }
    entry.shim.send_replace(false);
    conclude(&inner, &entry).await;
}

/// Notes how a container has ended.
async fn conclude(inner: &Weak<Inner>, entry: &Entry) {
    let Some(inner) = inner.upgrade().filter(|_| entry.is_running()) else { return };
    if let Err(e) = settle(&inner, entry, "the container's shim was killed").await {
        tracing::error!(container = entry.record.id.0, error = %e, "can't note how a container ended");
    }
    inner.shelf.publish(Event::Exited(entry.record.id.clone()));
}

/// Takes the shim's record of the end; where there is none, kills what is left and writes one.
pub(super) async fn settle(inner: &Inner, entry: &Entry, why: &str) -> Result<()> {
    let path = entry.folder.join("exit.json");
    match state::read::<ExitRecord>(&path) {
        Ok(Some(exit)) => {
            entry.state.send_replace(exit.state());
            return Ok(());
        }
        Ok(None) => {}
        Err(e) => {
            tracing::warn!(container = entry.record.id.0, error = %e, "a record is of no use")
        }
    }
    let cleared = cgroup::clear(&entry.record.cgroup).await;
    let exit = entry.lost_record(inner.now(), why);
    // Also when it can't be written down, on a full disk say: the next agent finds it out again.
    entry.state.send_replace(exit.state());
    let written = state::write(&path, &exit);
    cleared.and(written)
}
