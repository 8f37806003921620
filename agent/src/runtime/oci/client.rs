//! The agent's end of a connection to a shim.

use super::protocol::{self, MAX_LINE, Reply, Request, encode, take_line};
use super::state::io_error;
use crate::runtime::{Error, Result};
use rustix::fs::{Mode, OFlags};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::UnixStream;

/// How long a shim may take to answer: it answers at once, but for exec, which starts a program.
pub(super) const ANSWER: Duration = Duration::from_secs(30);

/// A connection to a shim.
pub(super) struct ShimClient {
    stream: UnixStream,
    buffer: Vec<u8>,
    fds: Vec<OwnedFd>,
}

// === impl ShimClient ===

impl ShimClient {
    /// Connects to the shim of a container's folder; `None` when none runs.
    pub(super) async fn connect(folder: &Path) -> Result<Option<Self>> {
        // A socket's path may have only 108 bytes: this one goes through the open folder.
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = rustix::fs::open(folder, flags, Mode::empty());
        let opened = opened.map_err(|e| io_error(folder, e))?;
        let path = format!("/proc/self/fd/{}/shim.sock", opened.as_raw_fd());
        match UnixStream::connect(path).await {
            Ok(stream) => Ok(Some(Self { stream, buffer: Vec::new(), fds: Vec::new() })),
            Err(e)
                if matches!(
                    e.kind(),
                    io::ErrorKind::NotFound
                        | io::ErrorKind::ConnectionRefused
                        | io::ErrorKind::ConnectionReset
                ) =>
            {
                Ok(None)
            }
            Err(e) => Err(io_error(folder, e)),
        }
    }

    /// Sends a request with descriptors. That the shim has hung up is seen by who waits for the answer.
    pub(super) async fn send(&self, request: &Request, fds: &[BorrowedFd<'_>]) -> Result<()> {
        let mut line = encode(request).map_err(broken)?;
        let mut fds = fds;
        while !line.is_empty() {
            let sent = self
                .stream
                .async_io(Interest::WRITABLE, || protocol::send(&self.stream, &line, fds))
                .await;
            let sent = match sent {
                Err(e)
                    if matches!(
                        e.kind(),
                        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
                    ) =>
                {
                    return Ok(());
                }
                sent => sent.map_err(broken)?,
            };
            line.drain(..sent);
            fds = &[];
        }
        Ok(())
    }

    /// The next reply; `None` when the shim has hung up. Safe to cancel.
    pub(super) async fn receive(&mut self) -> Result<Option<Reply>> {
        loop {
            if let Some(line) = take_line(&mut self.buffer) {
                let reply = serde_json::from_slice(&line);
                return reply.map(Some).map_err(|e| broken(e.into()));
            }
            if self.buffer.len() > MAX_LINE {
                return Err(broken(io::Error::other("a reply is too long")));
            }
            let mut chunk = [0_u8; 4096];
            let fds = &mut self.fds;
            let stream = &self.stream;
            let got = stream
                .async_io(Interest::READABLE, || protocol::receive(stream, &mut chunk, fds))
                .await;
            match got {
                Ok(0) => return Ok(None),
                Ok(n) => self.buffer.extend_from_slice(&chunk[..n]),
                Err(e) if e.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
                Err(e) => return Err(broken(e)),
            }
        }
    }

    /// The answer to a request, within the deadline.
    pub(super) async fn answer(&mut self) -> Result<Reply> {
        match tokio::time::timeout(ANSWER, self.receive()).await {
            Ok(Ok(Some(Reply::Failed(words)))) => Err(Error::Start(words)),
            Ok(Ok(Some(reply))) => Ok(reply),
            Ok(Ok(None)) => Err(Error::Failed("the container has ended".into())),
            Ok(Err(e)) => Err(e),
            Err(_) => Err(Error::Failed("the container's shim does not answer".into())),
        }
    }

    /// A descriptor that came with the last reply.
    pub(super) fn take_fd(&mut self) -> Option<OwnedFd> {
        self.fds.pop()
    }
}

fn broken(source: io::Error) -> Error {
    Error::Io { context: "container shim".into(), source }
}
