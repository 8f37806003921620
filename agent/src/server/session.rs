//! Moves bytes between a program in a container and a client, whatever protocol the client speaks.

use crate::runtime::Session;
use bytes::{Bytes, BytesMut};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use windlass_core::meta::Status;

/// So much is read at once.
const BLOCK: usize = 32 * 1024;

/// What a client sends.
#[derive(Debug)]
pub(super) enum Input {
    Stdin(Bytes),
    StdinClosed,
    /// Columns and rows.
    Resize(u16, u16),
}

/// What a client is sent.
#[derive(Debug)]
pub(super) enum Output {
    Stdout(Bytes),
    Stderr(Bytes),
    /// How it ended; nothing follows.
    Status(Value),
}

/// Moves bytes until the program has ended or the client is gone. An exec'd program ends with its client.
pub(super) async fn drive(
    session: Session,
    input: mpsc::Receiver<Input>,
    output: mpsc::Sender<Output>,
) {
    let Session { stdin, stdout, stderr, resize, exit } = session;
    let forward = async {
        feed(input, stdin, resize).await;
        // Only the client's end ends the session.
    };
    let out = copy(stdout, &output, Output::Stdout);
    let err = copy(stderr, &output, Output::Stderr);
    let work = async {
        let ((), (), exit) = tokio::join!(out, err, exit);
        let status = match exit {
            Ok(Ok(code)) => exit_status(code),
            Ok(Err(error)) => internal(&format!("error executing command in container: {error}")),
            Err(_) => internal("the program's end was not told"),
        };
        // A client that is gone needs no status.
        output.send(Output::Status(status)).await.ok();
    };
    tokio::select! {
        () = work => {}
        () = forward => {}
        () = output.closed() => {}
    }
}

/// Returns when the client is gone.
async fn feed(
    mut input: mpsc::Receiver<Input>,
    mut stdin: Option<Box<dyn tokio::io::AsyncWrite + Send + Unpin>>,
    resize: mpsc::Sender<(u16, u16)>,
) {
    while let Some(event) = input.recv().await {
        match event {
            Input::Stdin(bytes) => {
                if let Some(pipe) = &mut stdin
                    && let Err(error) = write(pipe, &bytes).await
                {
                    // The program does not read any more, which is its right.
                    tracing::debug!(%error, "standard input closed");
                    stdin = None;
                }
            }
            Input::StdinClosed => {
                if let Some(mut pipe) = stdin.take()
                    && let Err(error) = pipe.shutdown().await
                {
                    tracing::debug!(%error, "standard input closed");
                }
            }
            Input::Resize(columns, rows) => {
                if resize.send((columns, rows)).await.is_err() {
                    tracing::debug!("nobody minds the terminal's size");
                }
            }
        }
    }
}

async fn write(
    pipe: &mut Box<dyn tokio::io::AsyncWrite + Send + Unpin>,
    bytes: &[u8],
) -> std::io::Result<()> {
    pipe.write_all(bytes).await?;
    pipe.flush().await
}

async fn copy(
    stream: Option<Box<dyn AsyncRead + Send + Unpin>>,
    output: &mpsc::Sender<Output>,
    wrap: impl Fn(Bytes) -> Output,
) {
    let Some(mut stream) = stream else { return };
    let mut buffer = BytesMut::new();
    loop {
        buffer.reserve(BLOCK);
        match stream.read_buf(&mut buffer).await {
            // A terminal whose last program has ended reads as an error.
            Ok(0) | Err(_) => return,
            Ok(_) if output.send(wrap(buffer.split().freeze())).await.is_err() => return,
            Ok(_) => {}
        }
    }
}

/// The status for an exit code, as the v4 protocol words it.
pub(super) fn exit_status(code: i32) -> Value {
    if code == 0 {
        return json!({"metadata": {}, "status": "Success"});
    }
    json!({
        "metadata": {}, "status": "Failure", "reason": "NonZeroExitCode",
        "message": format!("command terminated with non-zero exit code: exit status {code}"),
        "details": {"causes": [{"reason": "ExitCode", "message": code.to_string()}]},
    })
}

/// The status of something that could not be done.
pub(super) fn internal(message: &str) -> Value {
    serde_json::to_value(Status::internal(message)).unwrap_or_default()
}
