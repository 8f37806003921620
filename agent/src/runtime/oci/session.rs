//! Streams of programs in containers.

use super::Inner;
use super::client::ShimClient;
use super::containers::connect;
use super::pipes::{Terminal, from_program, to_program};
use super::protocol::{Exec, Reply, Request, Which};
use crate::runtime::{AttachRequest, ContainerId, Error, ExecRequest, Result, Session};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::unix::pipe;
use tokio::sync::{mpsc, oneshot};

/// How many terminal sizes may wait.
const SIZES: usize = 8;

/// The ends of pipes that are used here.
#[derive(Default)]
struct Ours {
    stdin: Option<pipe::Sender>,
    stdout: Option<pipe::Receiver>,
    stderr: Option<pipe::Receiver>,
}

/// Runs a further program.
pub(super) async fn exec(
    inner: &Arc<Inner>,
    id: &ContainerId,
    request: ExecRequest,
) -> Result<Session> {
    request.check()?;
    let mut client = connect(&*inner.shelf.get(id)?).await?;
    let streams =
        Which { stdin: request.stdin && !request.tty, stdout: !request.tty, stderr: !request.tty };
    let (ours, theirs) = pipes(streams)?;
    let exec = Exec { args: request.command, tty: request.tty, streams };
    let fds: Vec<_> = theirs.iter().map(AsFd::as_fd).collect();
    client.send(&Request::Exec(exec), &fds).await?;
    drop(theirs);
    client.answer().await?;
    let terminal = client.take_fd().map(Terminal::new).transpose()?;
    let (resize, sizes) = mpsc::channel(SIZES);
    let (sender, exit) = oneshot::channel();
    tokio::spawn(hold_exec(client, terminal.clone(), sizes, sender, request.timeout));
    let mut session = session(ours, resize, exit);
    if let Some(terminal) = terminal {
        session.stdin = request.stdin.then(|| Box::new(terminal.clone()) as _);
        session.stdout = Some(Box::new(terminal));
    }
    Ok(session)
}

/// Joins the streams of the first program.
pub(super) async fn attach(
    inner: &Arc<Inner>,
    id: &ContainerId,
    request: AttachRequest,
) -> Result<Session> {
    let entry = inner.shelf.get(id)?;
    let config = &entry.record.config;
    let mut client = connect(&entry).await?;
    let streams = Which {
        stdin: request.stdin && config.stdin,
        stdout: request.stdout || (config.tty && request.stderr),
        stderr: request.stderr && !config.tty,
    };
    let (ours, theirs) = pipes(streams)?;
    let fds: Vec<_> = theirs.iter().map(AsFd::as_fd).collect();
    client.send(&Request::Attach(streams), &fds).await?;
    drop(theirs);
    client.answer().await?;
    let (resize, sizes) = mpsc::channel(SIZES);
    let (sender, exit) = oneshot::channel();
    tokio::spawn(hold_attach(client, sizes, sender));
    Ok(session(ours, resize, exit))
}

fn pipes(which: Which) -> Result<(Ours, Vec<OwnedFd>)> {
    let mut ours = Ours::default();
    let mut theirs = Vec::new();
    if which.stdin {
        let (their, our) = to_program()?;
        theirs.push(their);
        ours.stdin = Some(our);
    }
    for (wanted, slot) in [(which.stdout, &mut ours.stdout), (which.stderr, &mut ours.stderr)] {
        if wanted {
            let (their, our) = from_program()?;
            theirs.push(their);
            *slot = Some(our);
        }
    }
    Ok((ours, theirs))
}

fn session(
    ours: Ours,
    resize: mpsc::Sender<(u16, u16)>,
    exit: oneshot::Receiver<Result<i32>>,
) -> Session {
    Session {
        stdin: ours.stdin.map(|s| Box::new(s) as _),
        stdout: ours.stdout.map(|s| Box::new(s) as _),
        stderr: ours.stderr.map(|s| Box::new(s) as _),
        resize,
        exit,
    }
}

/// Keeps the connection as long as the program runs and somebody wants to know how it ends. When
/// the connection ends, the shim kills the program.
async fn hold_exec(
    mut client: ShimClient,
    terminal: Option<Terminal>,
    mut sizes: mpsc::Receiver<(u16, u16)>,
    mut exit: oneshot::Sender<Result<i32>>,
    timeout: Option<Duration>,
) {
    let mut resizable = true;
    let deadline = async {
        match timeout {
            Some(limit) => tokio::time::sleep(limit).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(deadline);
    let result = loop {
        tokio::select! {
            () = &mut deadline => break Err(Error::Failed(format!(
                "command timed out after {:?}", timeout.unwrap_or_default()
            ))),
            () = exit.closed() => return,
            size = sizes.recv(), if resizable => match (size, &terminal) {
                (Some((columns, rows)), Some(terminal)) => {
                    if let Err(e) = terminal.resize(columns, rows) {
                        tracing::debug!(error = %e, "can't resize a terminal");
                    }
                }
                (Some(_), None) => {}
                (None, _) => resizable = false,
            },
            reply = client.receive() => match outcome(reply) {
                Some(result) => break result,
                None => continue,
            },
        }
    };
    // Nobody wanting the answer is no error.
    exit.send(result).ok();
}

async fn hold_attach(
    mut client: ShimClient,
    mut sizes: mpsc::Receiver<(u16, u16)>,
    mut exit: oneshot::Sender<Result<i32>>,
) {
    let mut resizable = true;
    let result = loop {
        tokio::select! {
            () = exit.closed() => return,
            size = sizes.recv(), if resizable => match size {
                Some((columns, rows)) => {
                    if let Err(e) = client.send(&Request::Resize(columns, rows), &[]).await {
                        break Err(e);
                    }
                }
                None => resizable = false,
            },
            reply = client.receive() => match outcome(reply) {
                Some(result) => break result,
                None => continue,
            },
        }
    };
    exit.send(result).ok();
}

/// How a program ended, when that is what the reply says.
fn outcome(reply: Result<Option<Reply>>) -> Option<Result<i32>> {
    match reply {
        Ok(Some(Reply::Exited(code))) => Some(Ok(code)),
        Ok(Some(_)) => None,
        Ok(None) => Some(Err(Error::Failed("the container has ended".into()))),
        Err(e) => Some(Err(e)),
    }
}
