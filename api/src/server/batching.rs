//! What is written to a connection at about the same time, in one write.

use std::io::{ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// So much waits at most.
const FULL: usize = 64 << 10;
/// So much room is kept for what will wait next, unless much waited just now.
const KEPT: usize = 4 << 10;
/// Room for all that may wait, and the longest frame that comes on top of it.
const ROOM: usize = FULL + (17 << 10);

/// A connection of HTTP/2 whose frames leave together. HTTP/2 flushes after each longer frame: the answers of a moment,
/// or an event for a hundred watches, would be a record of TLS and a system call each.
///
/// A flush is put off until the task of the connection is polled again, which it asks for at once: that task begins
/// with a read, and so does this with writing. It is made for such a task only; with `on` false all passes at once.
pub(super) struct Batching<S> {
    stream: S,
    on: bool,
    waiting: Vec<u8>,
    /// What waits goes out before anything is read.
    due: bool,
}

// === impl Batching ===

impl<S> Batching<S> {
    pub(super) fn new(stream: S, on: bool) -> Self {
        Self { stream, on, waiting: Vec::new(), due: false }
    }
}

impl<S: AsyncWrite + Unpin> Batching<S> {
    /// Hands what waits to the stream, and through it.
    fn poll_pass_on(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let mut passed = 0;
        let result = loop {
            let left = &self.waiting[passed..];
            if left.is_empty() {
                break Poll::Ready(Ok(()));
            }
            match Pin::new(&mut self.stream).poll_write(cx, left) {
                Poll::Ready(Ok(0)) => break Poll::Ready(Err(ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(more)) => passed += more,
                Poll::Ready(Err(error)) => break Poll::Ready(Err(error)),
                Poll::Pending => break Poll::Pending,
            }
        };
        self.waiting.drain(..passed);
        ready!(result)?;
        if passed < FULL / 2 {
            self.waiting.shrink_to(KEPT);
        }
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.due = false;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Batching<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        if self.due
            && let Poll::Ready(Err(error)) = self.poll_pass_on(cx)
        {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Batching<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        if !self.on {
            return Pin::new(&mut self.stream).poll_write_vectored(cx, pieces);
        }
        if self.waiting.len() >= FULL {
            ready!(self.poll_pass_on(cx))?;
        }
        let length = pieces.iter().map(|piece| piece.len()).sum();
        if self.waiting.len() + length > KEPT.max(self.waiting.capacity()) {
            // At once, not step by step: a long answer fills it.
            let more = ROOM.saturating_sub(self.waiting.len());
            self.waiting.reserve_exact(more);
        }
        pieces.iter().for_each(|piece| self.waiting.extend_from_slice(piece));
        Poll::Ready(Ok(length))
    }

    fn is_write_vectored(&self) -> bool {
        self.on || self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if self.waiting.is_empty() {
            return Pin::new(&mut self.stream).poll_flush(cx);
        }
        self.due = true;
        cx.waker().wake_by_ref();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        ready!(self.poll_pass_on(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
