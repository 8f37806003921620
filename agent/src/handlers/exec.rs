//! Runs a program in the container.

use super::{Outcome, Patient};
use crate::runtime::{ExecRequest, Runtime};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use windlass_core::apis::core::v1::ExecAction;

/// More output than this is not kept.
const OUTPUT_LIMIT: u64 = 10 * 1024;

pub(super) async fn run(
    runtime: &dyn Runtime,
    action: &ExecAction,
    patient: &Patient,
    timeout: Duration,
) -> Outcome {
    output(runtime, action, patient, timeout).await.map(drop)
}

/// The same; what it printed.
pub(super) async fn output(
    runtime: &dyn Runtime,
    action: &ExecAction,
    patient: &Patient,
    timeout: Duration,
) -> Result<String, String> {
    let command = action.command.clone().unwrap_or_default();
    let request = ExecRequest { command, tty: false, stdin: false, timeout: Some(timeout) };
    let session = runtime.exec(&patient.id, request).await.map_err(|e| e.to_string())?;
    let (stdout, stderr, exit) = (session.stdout, session.stderr, session.exit);
    let (out, err, exit) = tokio::join!(read(stdout), read(stderr), exit);
    match exit {
        Ok(Ok(0)) => Ok(out + &err),
        Ok(Ok(_)) => Err(out + &err),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("the program's end was not told".into()),
    }
}

async fn read(stream: Option<Box<dyn AsyncRead + Send + Unpin>>) -> String {
    let Some(stream) = stream else { return String::new() };
    let mut bytes = Vec::new();
    let mut limited = stream.take(OUTPUT_LIMIT);
    if let Err(error) = limited.read_to_end(&mut bytes).await {
        tracing::debug!(%error, "output of a probe cut short");
    }
    let mut rest = limited.into_inner();
    // The program must not block on a full pipe.
    if let Err(error) = tokio::io::copy(&mut rest, &mut tokio::io::sink()).await {
        tracing::debug!(%error, "output of a probe cut short");
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
