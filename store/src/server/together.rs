//! Answers that are ready at about the same time, in one write.

use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tonic::transport::server::Connected;

/// What is longer than this is not worth a copy.
const SHORT: usize = 4 << 10;
/// So much waits at most.
const FULL: usize = 64 << 10;

/// A connection whose flush first lets the tasks run that are ready. One sync of the disk ends many requests
/// at once, and a system call for each of their answers costs as much as all else that is done for it.
pub(super) struct Together<S> {
    socket: S,
    waiting: Vec<u8>,
    /// Others had their turn since the flush was asked for.
    yielded: bool,
}

// === impl Together ===

impl<S> Together<S> {
    pub(super) fn new(socket: S) -> Self {
        Self { socket, waiting: Vec::new(), yielded: false }
    }
}

impl<S: AsyncWrite + Unpin> Together<S> {
    /// Hands what waits to the socket.
    fn poll_pass_on(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let mut passed = 0;
        let result = loop {
            let left = &self.waiting[passed..];
            if left.is_empty() {
                break Poll::Ready(Ok(()));
            }
            match Pin::new(&mut self.socket).poll_write(cx, left) {
                Poll::Ready(Ok(0)) => break Poll::Ready(Err(std::io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(more)) => passed += more,
                Poll::Ready(Err(error)) => break Poll::Ready(Err(error)),
                Poll::Pending => break Poll::Pending,
            }
        };
        self.waiting.drain(..passed);
        result
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Together<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Together<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let len: usize = pieces.iter().map(|piece| piece.len()).sum();
        let short = len <= SHORT;
        if !short || self.waiting.len() + len > FULL {
            ready!(self.poll_pass_on(cx))?;
        }
        if !short {
            return Pin::new(&mut self.socket).poll_write_vectored(cx, pieces);
        }
        pieces.iter().for_each(|piece| self.waiting.extend_from_slice(piece));
        Poll::Ready(Ok(len))
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if !self.waiting.is_empty() && !std::mem::replace(&mut self.yielded, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        ready!(self.poll_pass_on(cx))?;
        self.yielded = false;
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        ready!(self.poll_pass_on(cx))?;
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

impl<S: Connected> Connected for Together<S> {
    type ConnectInfo = S::ConnectInfo;

    fn connect_info(&self) -> S::ConnectInfo {
        self.socket.connect_info()
    }
}

#[cfg(test)]
mod tests;
