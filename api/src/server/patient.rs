//! A connection with an end to patience: with a client that takes nothing, or does not begin.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// How HTTP/2 begins (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

type Timer = Pin<Box<Sleep>>;

/// Fails with `TimedOut` when the client does not say in time which HTTP it speaks, or when nothing can be written
/// for too long.
pub(super) struct Patient<S> {
    stream: S,
    /// Runs until it is known which HTTP is spoken; and how much of the preface was seen.
    begin: Option<(Timer, usize)>,
    stall: Duration,
    /// Runs while nothing can be written.
    stalled: Option<Timer>,
}

// === impl Patient ===

impl<S> Patient<S> {
    pub(super) fn new(stream: S, begin: Duration, stall: Duration) -> Self {
        let begin = Some((Box::pin(tokio::time::sleep(begin)), 0));
        Self { stream, begin, stall, stalled: None }
    }

    /// Looks at what was read: with anything but the preface of HTTP/2 it is HTTP/1.1, which has its own deadline.
    fn note(&mut self, read: &[u8]) {
        let Some((_, seen)) = &mut self.begin else { return };
        let expected = &PREFACE[*seen..];
        let length = expected.len().min(read.len());
        if read[..length] == expected[..length] && *seen + length < PREFACE.len() {
            *seen += length;
        } else {
            self.begin = None;
        }
    }

    fn written<T>(
        &mut self,
        cx: &mut Context<'_>,
        result: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.stalled = None;
            return result;
        }
        let stall = self.stall;
        let timer = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(stall)));
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if read.is_ready() {
            self.note(&buffer.filled()[before..]);
        } else if let Some((timer, _)) = &mut self.begin {
            ready!(timer.as_mut().poll(cx));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(cx, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.written(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_flush(cx);
        self.written(cx, result)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.written(cx, result)
    }
}
