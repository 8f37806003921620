//! Exec and attach of what only pretends to run.

use super::containers::Entry;
use super::{Inner, Script, is_running};
use crate::runtime::{AttachRequest, Error, ExecRequest, Result, Session};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::{mpsc, oneshot};

const BUFFER: usize = 64 * 1024;

/// The program's ends of its streams.
struct Ends {
    stdin: Option<DuplexStream>,
    stdout: DuplexStream,
    stderr: DuplexStream,
    /// Kept, so that sizes can be sent.
    _sizes: mpsc::Receiver<(u16, u16)>,
}

pub(super) fn exec(
    inner: &Arc<Inner>,
    entry: &Arc<Entry>,
    request: ExecRequest,
) -> Result<Session> {
    running(entry)?;
    if request.command.is_empty() {
        return Err(Error::Invalid("you must specify a command".into()));
    }
    let script = inner.director.exec(&entry.config, &request.command);
    if let Some(words) = script.start_error {
        return Err(Error::Start(words));
    }
    let (session, ends, exit) = session(request.stdin);
    let entry = entry.clone();
    tokio::spawn(async move {
        let play =
            tokio::time::timeout(request.timeout.unwrap_or(Duration::MAX), play(ends, script));
        let result = tokio::select! {
            code = play => code.map_err(|_| Error::Failed(format!(
                "command timed out after {:?}", request.timeout.unwrap_or_default()
            ))),
            () = entry.ended() => Ok(137),
        };
        // Nobody wanting the answer is no error.
        exit.send(result).ok();
    });
    Ok(session)
}

pub(super) fn attach(
    inner: &Arc<Inner>,
    entry: &Arc<Entry>,
    request: AttachRequest,
) -> Result<Session> {
    running(entry)?;
    let (session, ends, exit) = session(request.stdin && entry.config.stdin);
    let (inner, entry) = (inner.clone(), entry.clone());
    tokio::spawn(async move {
        let script = entry.script.lock().clone();
        if script.copies && ends.stdin.is_some() {
            let copied = copy(ends).await;
            if let Err(e) = entry.log((inner.now)(), "stdout", &copied) {
                tracing::debug!(error = %e, "can't log what a fake container copied");
            }
            if entry.config.stdin_once {
                inner.end(&entry, script.exit_code, false);
            }
        }
        entry.ended().await;
        let code = match &*entry.state.borrow() {
            crate::runtime::ContainerState::Exited { exit_code, .. } => *exit_code,
            _ => 137,
        };
        exit.send(Ok(code)).ok();
    });
    Ok(session)
}

fn running(entry: &Entry) -> Result<()> {
    if is_running(&entry.state.borrow()) {
        return Ok(());
    }
    Err(Error::Failed(format!("container {} is not running", entry.id.0)))
}

fn session(stdin: bool) -> (Session, Ends, oneshot::Sender<Result<i32>>) {
    let (input, stdin_end) = duplex(BUFFER);
    let (stdout, stdout_end) = duplex(BUFFER);
    let (stderr, stderr_end) = duplex(BUFFER);
    let (resize, sizes) = mpsc::channel(8);
    let (sender, exit) = oneshot::channel();
    let session = Session {
        stdin: stdin.then(|| Box::new(input) as _),
        stdout: Some(Box::new(stdout)),
        stderr: Some(Box::new(stderr)),
        resize,
        exit,
    };
    let ends = Ends {
        stdin: stdin.then_some(stdin_end),
        stdout: stdout_end,
        stderr: stderr_end,
        _sizes: sizes,
    };
    (session, ends, sender)
}

async fn play(mut ends: Ends, script: Script) -> i32 {
    // A reader that is gone misses the output, as with a real pipe.
    ends.stdout.write_all(script.stdout.as_bytes()).await.ok();
    ends.stderr.write_all(script.stderr.as_bytes()).await.ok();
    if script.copies {
        copy(ends).await;
    } else {
        drop(ends);
        match script.runs {
            Some(runs) => tokio::time::sleep(runs).await,
            None => std::future::pending().await,
        }
    }
    script.exit_code
}

/// Copies input to output until the input ends, and gives what it copied.
async fn copy(mut ends: Ends) -> String {
    let mut all = Vec::new();
    let mut chunk = [0_u8; 4096];
    if let Some(mut stdin) = ends.stdin.take() {
        while let Ok(n @ 1..) = stdin.read(&mut chunk).await {
            all.extend_from_slice(&chunk[..n]);
            ends.stdout.write_all(&chunk[..n]).await.ok();
        }
    }
    String::from_utf8_lossy(&all).into_owned()
}
