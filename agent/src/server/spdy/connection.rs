//! A connection: reads frames, gives each stream its data, writes what streams send.

use super::frame::{Incoming, Outgoing, encode, read};
use super::headers::{Headers, Inflater};
use bytes::Bytes;
use std::collections::HashMap;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

/// So many streams at once.
const STREAMS: usize = 256;
/// So many pieces of a stream wait to be taken.
const BACKLOG: usize = 64;
/// A stream whose data nobody takes for so long is reset.
const PATIENCE: Duration = Duration::from_secs(30);

/// A stream that a client has opened.
pub(in crate::server) struct Stream {
    id: u32,
    headers: Headers,
    data: mpsc::Receiver<Bytes>,
    out: mpsc::Sender<Outgoing>,
}

/// The half of a stream that writes.
#[derive(Clone)]
pub(in crate::server) struct Writer {
    id: u32,
    out: mpsc::Sender<Outgoing>,
}

// === impl Stream ===

impl Stream {
    /// A header; the name in lower case.
    pub(in crate::server) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// What it sends and what it is sent. The receiver ends when the client has sent all.
    pub(in crate::server) fn split(self) -> (mpsc::Receiver<Bytes>, Writer) {
        (self.data, Writer { id: self.id, out: self.out })
    }
}

impl Writer {
    /// Whether the connection still stands.
    pub(in crate::server) async fn send(&self, data: Bytes) -> bool {
        self.out.send(Outgoing::Data { id: self.id, data, fin: false }).await.is_ok()
    }

    /// Nothing more follows.
    pub(in crate::server) async fn finish(&self) -> bool {
        let last = Outgoing::Data { id: self.id, data: Bytes::new(), fin: true };
        self.out.send(last).await.is_ok()
    }
}

/// Serves a connection: each stream that is opened comes out of the receiver. The connection is closed once the
/// client is gone, or the receiver and all streams are dropped.
pub(in crate::server) fn serve<T>(io: T) -> mpsc::Receiver<Stream>
where
    T: AsyncRead + AsyncWrite + Send + 'static,
{
    let (opened, streams) = mpsc::channel(BACKLOG);
    let (out, frames) = mpsc::channel(BACKLOG);
    let (reader, writer) = tokio::io::split(io);
    tokio::spawn(async move {
        let (inward, outward) =
            tokio::join!(read_all(reader, opened, out), write_all(writer, frames));
        if let Err(error) = inward.and(outward) {
            tracing::debug!(%error, "SPDY connection broke off");
        }
    });
    streams
}

async fn write_all(
    mut writer: impl AsyncWrite + Unpin,
    mut frames: mpsc::Receiver<Outgoing>,
) -> io::Result<()> {
    let mut first = true;
    while let Some(frame) = frames.recv().await {
        writer.write_all(&encode(&frame, &mut first)).await?;
        writer.flush().await?;
    }
    writer.shutdown().await
}

async fn read_all(
    mut reader: impl AsyncRead + Unpin,
    opened: mpsc::Sender<Stream>,
    out: mpsc::Sender<Outgoing>,
) -> io::Result<()> {
    let mut inflater = Inflater::new()?;
    let mut streams: HashMap<u32, mpsc::Sender<Bytes>> = HashMap::new();
    loop {
        let frame = tokio::select! {
            frame = read(&mut reader, &mut inflater) => frame?,
            () = opened.closed() => return Ok(()),
        };
        let Some(frame) = frame else { return Ok(()) };
        match frame {
            Incoming::Open { id, headers, fin } => {
                streams.retain(|_, sender| !sender.is_closed());
                if streams.len() >= STREAMS {
                    send(&out, Outgoing::Reset { id }).await?;
                    continue;
                }
                let (sender, data) = mpsc::channel(BACKLOG);
                send(&out, Outgoing::Reply { id }).await?;
                let stream = Stream { id, headers, data, out: out.clone() };
                if opened.send(stream).await.is_err() {
                    return Ok(());
                }
                if !fin {
                    streams.insert(id, sender);
                }
            }
            Incoming::Data { id, data, fin } => {
                if let Some(sender) = streams.get(&id)
                    && !data.is_empty()
                    && let Err(mpsc::error::SendTimeoutError::Timeout(_)) =
                        sender.send_timeout(data, PATIENCE).await
                {
                    streams.remove(&id);
                    send(&out, Outgoing::Reset { id }).await?;
                }
                if fin {
                    streams.remove(&id);
                }
            }
            Incoming::Reset { id } => drop(streams.remove(&id)),
            Incoming::Ping { id } => send(&out, Outgoing::Ping { id }).await?,
            Incoming::GoAway => return Ok(()),
            Incoming::Other => {}
        }
    }
}

async fn send(out: &mpsc::Sender<Outgoing>, frame: Outgoing) -> io::Result<()> {
    let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
    out.send(frame).await.map_err(gone)
}
