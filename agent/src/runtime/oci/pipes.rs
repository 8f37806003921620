//! Asynchronous ends of pipes and terminals.

use crate::runtime::{Error, Result};
use rustix::pipe::{PipeFlags, pipe_with};
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::unix::pipe;

/// A pipe that is written here and read by the shim or a program.
pub(super) fn to_program() -> Result<(OwnedFd, pipe::Sender)> {
    let (theirs, ours) = pipe_with(PipeFlags::CLOEXEC).map_err(|e| failed(e.into()))?;
    let ours = pipe::Sender::from_owned_fd(ours).map_err(failed)?;
    Ok((theirs, ours))
}

/// A pipe that is read here and written by the shim or a program.
pub(super) fn from_program() -> Result<(OwnedFd, pipe::Receiver)> {
    let (ours, theirs) = pipe_with(PipeFlags::CLOEXEC).map_err(|e| failed(e.into()))?;
    let ours = pipe::Receiver::from_owned_fd(ours).map_err(failed)?;
    Ok((theirs, ours))
}

/// The master of a terminal. Cheap to clone; reads and writes go to the same terminal.
#[derive(Clone)]
pub(super) struct Terminal(Arc<AsyncFd<OwnedFd>>);

// === impl Terminal ===

impl Terminal {
    /// Takes a master that is already non-blocking.
    pub(super) fn new(master: OwnedFd) -> Result<Self> {
        #[expect(
            deprecated,
            reason = "an OwnedFd stays open as long as the AsyncFd has it; the successor is unsafe"
        )]
        let fd = AsyncFd::new(master).map_err(failed)?;
        Ok(Self(Arc::new(fd)))
    }

    pub(super) fn resize(&self, columns: u16, rows: u16) -> io::Result<()> {
        let size =
            rustix::termios::Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 };
        Ok(rustix::termios::tcsetwinsize(self.0.get_ref(), size)?)
    }
}

impl AsyncRead for Terminal {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let mut guard = ready!(self.0.poll_read_ready(cx))?;
            let got =
                guard.try_io(|fd| Ok(rustix::io::read(fd.get_ref(), buf.initialize_unfilled())?));
            match got {
                Ok(Ok(n)) => {
                    buf.advance(n);
                    return Poll::Ready(Ok(()));
                }
                // Nobody has the terminal open any more: the end.
                Ok(Err(e)) if e.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => {
                    return Poll::Ready(Ok(()));
                }
                Ok(Err(e)) => return Poll::Ready(Err(e)),
                Err(_would_block) => {}
            }
        }
    }
}

impl AsyncWrite for Terminal {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            let mut guard = ready!(self.0.poll_write_ready(cx))?;
            match guard.try_io(|fd| Ok(rustix::io::write(fd.get_ref(), data)?)) {
                Ok(done) => return Poll::Ready(done),
                Err(_would_block) => {}
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn failed(source: io::Error) -> Error {
    Error::Io { context: "container streams".into(), source }
}
