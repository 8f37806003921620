//! Further programs in containers, and joining the streams of the first one.

use super::client::{call, call_unless};
use super::io::{self, Names};
use super::tasks::start_error;
use super::{Inner, containers::Entry};
use crate::images::blob::random_hex;
use crate::runtime::linux::log::Stream;
use crate::runtime::linux::state;
use crate::runtime::{
    AttachRequest, ContainerId, ContainerState, Error, ExecRequest, Result, Session,
};
use containerd_client::services::v1::{
    CloseIoRequest, DeleteProcessRequest, ExecProcessRequest, KillRequest, ResizePtyRequest,
    StartRequest, WaitRequest,
};
use nix::sys::signal::Signal;
use prost_types::Any;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncRead;
use tokio::sync::{mpsc, oneshot};
use tonic::Code;

/// How a program's configuration is called on the wire.
const PROCESS: &str = "types.containerd.io/opencontainers/runtime-spec/1/Process";
/// How many terminal sizes may wait.
const SIZES: usize = 8;

/// A program that runs in a container besides its first one.
struct Program {
    inner: Arc<Inner>,
    container: String,
    /// Its name; empty for the first program.
    exec: String,
    pipes: Names,
}

/// Runs a further program.
pub(super) async fn exec(
    inner: &Arc<Inner>,
    id: &ContainerId,
    request: ExecRequest,
) -> Result<Session> {
    request.check()?;
    let entry = running(inner, id)?;
    let process = process(&entry, &request)?;
    let name = random_hex();
    let pipes = Names::new(&entry.folder, &format!("exec-{name}-"), request.stdin, request.tty);
    let program = Program { inner: inner.clone(), container: id.0.clone(), exec: name, pipes };
    program.pipes.make()?;
    let ends = program.pipes.open();
    let ends = match program.begin(process, request.tty).await {
        Ok(()) => ends?,
        Err(e) => {
            program.clean().await;
            return Err(e);
        }
    };
    let program = Arc::new(program);
    let (resize, sizes) = mpsc::channel(SIZES);
    let (sender, exit) = oneshot::channel();
    let stdin = ends.stdin.map(|mut to| {
        let (ours, theirs) = io::input();
        let program = program.clone();
        tokio::spawn(async move {
            io::copy(theirs, &mut to).await;
            drop(to);
            program.close_input().await;
        });
        Box::new(ours) as _
    });
    tokio::spawn(hold(program, sizes, sender, request.timeout));
    let boxed = |stream| Box::new(stream) as Box<dyn AsyncRead + Send + Unpin>;
    Ok(Session {
        stdin,
        stdout: Some(boxed(ends.stdout)),
        stderr: ends.stderr.map(boxed),
        resize,
        exit,
    })
}

/// Joins the streams of the first program.
pub(super) async fn attach(
    inner: &Arc<Inner>,
    id: &ContainerId,
    request: AttachRequest,
) -> Result<Session> {
    let entry = running(inner, id)?;
    let config = &entry.record.config;
    let (tty, hub) = (config.tty, &entry.hub);
    let listen = async |wanted: bool, stream| match wanted {
        true => Some(Box::new(hub.listen(stream).await) as _),
        false => None,
    };
    let stdout = listen(request.stdout || (tty && request.stderr), Stream::Stdout).await;
    let stderr = listen(request.stderr && !tty, Stream::Stderr).await;
    let pipes = Names::default();
    let program =
        Program { inner: inner.clone(), container: id.0.clone(), exec: String::new(), pipes };
    let program = Arc::new(program);
    let stdin = (request.stdin && config.stdin).then(|| {
        let (ours, theirs) = io::input();
        tokio::spawn(feed(entry.clone(), program.clone(), theirs));
        Box::new(ours) as _
    });
    let (resize, sizes) = mpsc::channel(SIZES);
    let (sender, exit) = oneshot::channel();
    tokio::spawn(stay(entry.clone(), program, sizes, sender));
    Ok(Session { stdin, stdout, stderr, resize, exit })
}

fn running(inner: &Inner, id: &ContainerId) -> Result<Arc<Entry>> {
    let entry = inner.shelf.get(id)?;
    match entry.is_running() {
        true => Ok(entry),
        false => Err(entry.not_running()),
    }
}

/// The program as the container's first one, with another command.
fn process(entry: &Entry, request: &ExecRequest) -> Result<Vec<u8>> {
    let path = entry.folder.join("config.json");
    let mut spec: Value = state::read(&path)?
        .ok_or_else(|| Error::NotFound(format!("configuration of {}", entry.record.id.0)))?;
    let mut process = spec["process"].take();
    process["args"] = json!(request.command);
    process["terminal"] = json!(request.tty);
    serde_json::to_vec(&process).map_err(|e| Error::Failed(e.to_string()))
}

/// Hands an attached input to the container; with `stdinOnce` its end is the end of the container's.
async fn feed(entry: Arc<Entry>, program: Arc<Program>, from: tokio::io::DuplexStream) {
    entry.hub.feed(from).await;
    if entry.record.config.stdin_once && entry.hub.input.lock().await.take().is_some() {
        program.close_input().await;
    }
}

/// Stays with an attached session until the container ends.
async fn stay(
    entry: Arc<Entry>,
    program: Arc<Program>,
    mut sizes: mpsc::Receiver<(u16, u16)>,
    mut exit: oneshot::Sender<Result<i32>>,
) {
    let mut state = entry.state.subscribe();
    let ended = async {
        // The container is known for as long as `entry` is.
        state.wait_for(|s| !matches!(s, ContainerState::Running { .. })).await.map(|_| ()).ok()
    };
    tokio::pin!(ended);
    let mut resizable = true;
    loop {
        tokio::select! {
            () = exit.closed() => return,
            size = sizes.recv(), if resizable => match size {
                Some(size) => program.resize(size).await,
                None => resizable = false,
            },
            _ = &mut ended => break,
        }
    }
    let code = match &*entry.state.borrow() {
        ContainerState::Exited { exit_code, .. } => Ok(*exit_code),
        _ => Err(Error::Failed("the container has ended".into())),
    };
    // Nobody wanting the answer is no error.
    exit.send(code).ok();
}

/// Stays with a program until it ends, its time is up, or nobody wants to know how it ends.
async fn hold(
    program: Arc<Program>,
    mut sizes: mpsc::Receiver<(u16, u16)>,
    mut exit: oneshot::Sender<Result<i32>>,
    timeout: Option<Duration>,
) {
    let deadline = async {
        match timeout {
            Some(limit) => tokio::time::sleep(limit).await,
            None => std::future::pending().await,
        }
    };
    let ended = program.ended();
    tokio::pin!(deadline, ended);
    let mut resizable = true;
    let result = loop {
        tokio::select! {
            () = exit.closed() => break None,
            () = &mut deadline => break Some(Err(Error::Failed(format!(
                "command timed out after {:?}", timeout.unwrap_or_default()
            )))),
            size = sizes.recv(), if resizable => match size {
                Some(size) => program.resize(size).await,
                None => resizable = false,
            },
            result = &mut ended => break Some(result),
        }
    };
    if !matches!(result, Some(Ok(_))) {
        program.kill().await;
    }
    if let Some(result) = result {
        exit.send(result).ok();
    }
    program.clean().await;
}

// === impl Program ===

impl Program {
    async fn begin(&self, process: Vec<u8>, tty: bool) -> Result<()> {
        let [stdin, stdout, stderr] = self.pipes.words();
        let request = ExecProcessRequest {
            container_id: self.container.clone(),
            exec_id: self.exec.clone(),
            stdin,
            stdout,
            stderr,
            terminal: tty,
            spec: Some(Any { type_url: PROCESS.into(), value: process }),
        };
        let mut client = self.inner.connection.tasks();
        call("running a program", client.exec(request)).await?;
        let request =
            StartRequest { container_id: self.container.clone(), exec_id: self.exec.clone() };
        call("running a program", client.start(request)).await.map_err(start_error)?;
        Ok(())
    }

    async fn ended(&self) -> Result<i32> {
        let request =
            WaitRequest { container_id: self.container.clone(), exec_id: self.exec.clone() };
        let mut client = self.inner.connection.tasks();
        // It may take as long as it likes: who gives up drops this.
        match client.wait(request).await {
            Ok(answer) => Ok(i32::try_from(answer.into_inner().exit_status).unwrap_or(255)),
            Err(status) => Err(super::client::error("waiting for a program", &status)),
        }
    }

    async fn close_input(&self) {
        let request = CloseIoRequest {
            container_id: self.container.clone(),
            exec_id: self.exec.clone(),
            stdin: true,
        };
        let mut client = self.inner.connection.tasks();
        let closed = call_unless(Code::NotFound, "closing an input", client.close_io(request));
        if let Err(error) = closed.await {
            tracing::debug!(%error, "an input stays open");
        }
    }

    async fn resize(&self, (columns, rows): (u16, u16)) {
        let request = ResizePtyRequest {
            container_id: self.container.clone(),
            exec_id: self.exec.clone(),
            width: columns.into(),
            height: rows.into(),
        };
        let mut client = self.inner.connection.tasks();
        if let Err(error) = call("resizing a terminal", client.resize_pty(request)).await {
            tracing::debug!(%error, "can't resize a terminal");
        }
    }

    async fn kill(&self) {
        let request = KillRequest {
            container_id: self.container.clone(),
            exec_id: self.exec.clone(),
            signal: Signal::SIGKILL as u32,
            all: false,
        };
        let mut client = self.inner.connection.tasks();
        let killed = call_unless(Code::NotFound, "ending a program", client.kill(request));
        if let Err(error) = killed.await {
            tracing::debug!(%error, "can't end a program");
        }
        // Until it is gone it can't be cleaned up.
        if let Ok(Err(error)) = tokio::time::timeout(super::client::DEADLINE, self.ended()).await {
            tracing::debug!(%error, "a program's end is not known");
        }
    }

    /// Removes what is left of a program that has ended or never began.
    async fn clean(&self) {
        let request = DeleteProcessRequest {
            container_id: self.container.clone(),
            exec_id: self.exec.clone(),
        };
        let mut client = self.inner.connection.tasks();
        let gone =
            call_unless(Code::NotFound, "removing a program", client.delete_process(request));
        if let Err(error) = gone.await {
            tracing::debug!(%error, "a program that has ended stays");
        }
        if let Err(error) = self.pipes.remove() {
            tracing::debug!(%error, "a program's pipes stay");
        }
    }
}
