//! Tasks: a container's processes, started, stopped, and what is noted when they end.

use super::client::{call, call_unless};
use super::{Inner, containers::Entry};
use crate::runtime::linux::state::{self, ExitRecord, RunRecord};
use crate::runtime::linux::{cgroup, lost};
use crate::runtime::{ContainerId, ContainerState, Error, Event, Result};
use containerd_client::services::v1::{
    CreateTaskRequest, DeleteTaskRequest, GetRequest, KillRequest, StartRequest,
};
use containerd_client::types::v1::{Process, Status};
use nix::sys::signal::Signal;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tonic::Code;

/// How long a container may take to start.
const START: Duration = Duration::from_secs(60);

/// Starts a container, unless it runs.
pub(super) async fn start(inner: &Arc<Inner>, id: &ContainerId) -> Result<()> {
    let entry = inner.shelf.get(id)?;
    let Some(_one) = entry.begin().await? else { return Ok(()) };
    let started = launch(inner, &entry).await;
    if let Err(e) = &started {
        entry.unfollow().await;
        settle(inner, &entry, entry.lost_record(inner.now(), &e.to_string())).await?;
        if let Err(e) = delete(inner, &entry).await {
            tracing::warn!(container = id.0, error = %e, "a task that did not start stays");
        }
    }
    started
}

async fn launch(inner: &Arc<Inner>, entry: &Arc<Entry>) -> Result<()> {
    let (id, config) = (&entry.record.id, &entry.record.config);
    entry.follow().await?;
    let rootfs = inner.snapshots().mounts(&id.0).await?;
    let [stdin, stdout, stderr] = entry.pipes().words();
    let request = CreateTaskRequest {
        container_id: id.0.clone(),
        rootfs,
        stdin,
        stdout,
        stderr,
        terminal: config.tty,
        ..CreateTaskRequest::default()
    };
    *entry.task.lock() = true;
    let mut client = inner.connection.tasks();
    call("starting a container", client.create(request)).await.map_err(start_error)?;
    let request = StartRequest { container_id: id.0.clone(), exec_id: String::new() };
    let pid = call("starting a container", client.start(request)).await.map_err(start_error)?.pid;
    let run = RunRecord { pid, started_at: inner.now() };
    state::write(&entry.folder.join("run.json"), &run)?;
    entry.state.send_replace(run.state());
    inner.shelf.publish(Event::Started(id.clone()));
    Ok(())
}

/// What an OCI runtime says, without what is said around it.
pub(super) fn start_error(e: Error) -> Error {
    let words = match &e {
        Error::Failed(words) | Error::NotFound(words) => words,
        _ => return e,
    };
    let words = words.strip_suffix(": unknown").unwrap_or(words);
    let told = words.split_once("exec: \"").map(|(_, rest)| format!("exec: \"{rest}"));
    let told = told.or_else(|| words.split_once("OCI runtime ").map(|(_, rest)| rest.to_string()));
    told.map_or(e, Error::Start)
}

/// Asks a container to end, and kills it when it doesn't in time.
pub(super) async fn stop(inner: &Arc<Inner>, id: &ContainerId, grace: Duration) -> Result<()> {
    let Ok(entry) = inner.shelf.get(id) else { return Ok(()) };
    entry.stop(grace, |number| signal(inner, &entry, number)).await
}

async fn signal(inner: &Arc<Inner>, entry: &Arc<Entry>, number: i32) -> Result<()> {
    let request = KillRequest {
        container_id: entry.record.id.0.clone(),
        signal: number.unsigned_abs(),
        ..KillRequest::default()
    };
    let mut client = inner.connection.tasks();
    let sent = call_unless(Code::NotFound, "signalling a container", client.kill(request)).await?;
    if sent.is_none() {
        // It has ended: perhaps just now, perhaps while nobody listened.
        reconcile(inner, entry).await?;
    }
    Ok(())
}

/// Brings what is known of a container that has not ended up to what containerd knows.
pub(super) async fn reconcile(inner: &Arc<Inner>, entry: &Arc<Entry>) -> Result<()> {
    let id = &entry.record.id;
    let request = GetRequest { container_id: id.0.clone(), exec_id: String::new() };
    let mut client = inner.connection.tasks();
    let task = call_unless(Code::NotFound, "looking for a task", client.get(request)).await?;
    let process = task.and_then(|t| t.process);
    let was_created = *entry.state.borrow() == ContainerState::Created;
    match process {
        Some(process) => match process.status() {
            Status::Stopped => {
                if was_created {
                    let run = RunRecord { pid: process.pid, started_at: inner.now() };
                    entry.state.send_replace(run.state());
                }
                ended(inner, entry, process.exit_status, time(process.exited_at)).await
            }
            // Its start was cut short: it may be started again.
            Status::Created if was_created => delete(inner, entry).await,
            _ => adopt(inner, entry, &process).await,
        },
        None => {
            *entry.task.lock() = false;
            if was_created { Ok(()) } else { vanish(inner, entry).await }
        }
    }
}

/// Follows a task that an earlier agent started.
async fn adopt(inner: &Arc<Inner>, entry: &Arc<Entry>, process: &Process) -> Result<()> {
    if *entry.state.borrow() == ContainerState::Created {
        let run = RunRecord { pid: process.pid, started_at: inner.now() };
        state::write(&entry.folder.join("run.json"), &run)?;
        entry.state.send_replace(run.state());
    }
    if entry.is_followed() { Ok(()) } else { entry.follow().await }
}

/// The task of a container that ran is gone: the machine was started anew, or somebody removed it.
async fn vanish(inner: &Arc<Inner>, entry: &Arc<Entry>) -> Result<()> {
    let _one = entry.ending.lock().await;
    if !entry.is_running() {
        return Ok(());
    }
    entry.unfollow().await;
    let words = "the container's task is gone: the node was started anew, or it was removed";
    settle(inner, entry, entry.lost_record(inner.now(), words)).await?;
    inner.shelf.publish(Event::Exited(entry.record.id.clone()));
    cgroup::clear(&entry.record.cgroup).await
}

/// Notes that a container has ended.
pub(super) async fn ended(
    inner: &Arc<Inner>,
    entry: &Arc<Entry>,
    code: u32,
    at: Option<SystemTime>,
) -> Result<()> {
    let mut state = entry.state.subscribe();
    // It may have ended before containerd said that it began.
    let begun = state.wait_for(|s| *s != ContainerState::Created);
    if tokio::time::timeout(START, begun).await.is_err() {
        return Err(Error::Failed("a container ended that never began".into()));
    }
    let _one = entry.ending.lock().await;
    let started_at = match &*entry.state.borrow() {
        ContainerState::Running { started_at, .. } => Some(*started_at),
        _ => return Ok(()),
    };
    entry.drain().await;
    let killed_for_memory = cgroup::oom_kills(&entry.record.cgroup) > 0;
    let exit_code = i32::try_from(code).unwrap_or(255);
    let reason = match exit_code {
        0 => "Completed",
        _ if killed_for_memory => "OOMKilled",
        _ => "Error",
    };
    let exit = ExitRecord {
        started_at,
        finished_at: at.unwrap_or_else(|| inner.now()),
        exit_code,
        reason: reason.into(),
        message: String::new(),
    };
    let noted = settle(inner, entry, exit).await;
    inner.shelf.publish(Event::Exited(entry.record.id.clone()));
    noted?;
    delete(inner, entry).await
}

/// Keeps how a container ended. Also when it can't be written down, on a full disk say, it is known.
async fn settle(inner: &Inner, entry: &Entry, exit: ExitRecord) -> Result<()> {
    tracing::debug!(container = entry.record.id.0, code = exit.exit_code, "a container ended");
    let path = inner.layout.container(&entry.record.id).join("exit.json");
    let (state, work) = (exit.state(), move || state::write(&path, &exit));
    let written = tokio::task::spawn_blocking(work).await.map_err(lost);
    entry.state.send_replace(state);
    written?
}

/// Removes the task of a container that has ended, with its mounts and cgroup; it may be gone.
pub(super) async fn delete(inner: &Inner, entry: &Entry) -> Result<()> {
    if !*entry.task.lock() {
        return Ok(());
    }
    let id = &entry.record.id.0;
    let mut client = inner.connection.tasks();
    let kill = KillRequest {
        container_id: id.clone(),
        signal: Signal::SIGKILL as u32,
        all: true,
        ..KillRequest::default()
    };
    let created = *entry.state.borrow() == ContainerState::Created;
    if created {
        call_unless(Code::NotFound, "ending a task", client.kill(kill)).await?;
    }
    let request = DeleteTaskRequest { container_id: id.clone() };
    call_unless(Code::NotFound, "removing a task", client.delete(request)).await?;
    *entry.task.lock() = false;
    Ok(())
}

/// A time that containerd tells.
pub(super) fn time(at: Option<prost_types::Timestamp>) -> Option<SystemTime> {
    at.and_then(|t| SystemTime::try_from(t).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runtimes_are_quoted_without_their_frame() {
        let said = "starting a container: failed to create shim task: OCI runtime create failed: runc create failed: \
            unable to start container process: exec: \"/x\": stat /x: no such file or directory: unknown";
        match start_error(Error::Failed(said.into())) {
            Error::Start(words) => {
                assert_eq!(words, "exec: \"/x\": stat /x: no such file or directory");
            }
            other => panic!("{other:?}"),
        }
        let other = Error::Failed("starting a container: connection refused".into());
        assert!(matches!(start_error(other), Error::Failed(_)));
    }
}
