//! `/healthz`, `/livez`, `/readyz` and `/metrics` of components without a server of their own.

use super::remote::Standing;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use windlass_core::component::Shutdown;
use windlass_core::metrics::Metrics;

/// A probe that says nothing for so long is hung up on.
const PATIENCE: Duration = Duration::from_secs(5);
/// No request line of a probe is longer.
const LONGEST: usize = 1024;

/// Answers until shutdown: alive always, ready once all that was started is.
pub(super) async fn serve(listener: TcpListener, standing: Standing, shutdown: Shutdown) {
    let accept = async {
        loop {
            match listener.accept().await {
                // One after the other: probes are few, and each has a deadline.
                Ok((stream, _)) => drop(timeout(PATIENCE, answer(stream, &standing)).await),
                Err(error) => {
                    tracing::warn!(%error, "health: can't accept");
                    tokio::time::sleep(PATIENCE).await;
                }
            }
        }
    };
    shutdown.run_until_cancelled(accept).await;
}

async fn answer(mut stream: TcpStream, standing: &Standing) -> std::io::Result<()> {
    let mut request = [0; LONGEST];
    let read = stream.read(&mut request).await?;
    let path = String::from_utf8_lossy(&request[..read]);
    let path = path.split(' ').nth(1).unwrap_or_default();
    let mut kind = "text/plain";
    let (code, text) = match path {
        "/healthz" | "/livez" => ("200 OK", "ok".into()),
        "/metrics" => {
            kind = Metrics::CONTENT_TYPE;
            ("200 OK", Metrics::process().text())
        }
        "/readyz" if standing.is_ready() => ("200 OK", "ok".into()),
        "/readyz" => ("503 Service Unavailable", "not ready".into()),
        _ => ("404 Not Found", "not found".to_owned()),
    };
    let length = text.len();
    let head = format!(
        "HTTP/1.1 {code}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(format!("{head}{text}").as_bytes()).await
}
