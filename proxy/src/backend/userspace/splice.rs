//! Bytes from one connection to another. What comes in bulk goes without a copy in this process: through a pipe, which
//! takes the kernel's pages.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};

/// Bytes that are copied at once at first: most connections carry less, and a pipe costs more than it gives then.
const BUFFER: usize = 8 << 10;
/// A buffer that was full so often in a row is replaced by a pipe.
const FULL: u32 = 4;
/// What a pipe takes at once, if the system lets it, and what it takes in any case.
const PIPE: usize = 256 << 10;
const SMALL_PIPE: usize = 4 << 10;

/// Carries bytes both ways until both sides have ended, or one fails.
pub(super) async fn both_ways(mut a: TcpStream, mut b: TcpStream) -> io::Result<()> {
    let ((from_a, to_a), (from_b, to_b)) = (a.split(), b.split());
    tokio::try_join!(one_way(from_a, to_b), one_way(from_b, to_a)).map(|_| ())
}

async fn one_way(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>) -> io::Result<()> {
    if copy(&mut from, &mut to, FULL).await? == Next::Bulk {
        match pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK) {
            Ok(pipe) => splice(from.as_ref(), to.as_ref(), pipe).await?,
            // Copying needs no more file descriptors.
            Err(_) => _ = copy(&mut from, &mut to, u32::MAX).await?,
        }
    }
    to.shutdown().await
}

#[derive(PartialEq, Eq)]
enum Next {
    End,
    Bulk,
}

/// Until there is no more, or the buffer was full `most` times in a row.
async fn copy(from: &mut ReadHalf<'_>, to: &mut WriteHalf<'_>, most: u32) -> io::Result<Next> {
    let (mut buffer, mut full) = (vec![0; BUFFER], 0);
    while full < most {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return Ok(Next::End);
        }
        to.write_all(&buffer[..read]).await?;
        full = if read == BUFFER { full.saturating_add(1) } else { 0 };
    }
    Ok(Next::Bulk)
}

/// Until there is no more.
async fn splice(
    from: &TcpStream,
    to: &TcpStream,
    (reader, writer): (OwnedFd, OwnedFd),
) -> io::Result<()> {
    let size = fcntl_setpipe_size(&writer, PIPE).unwrap_or(SMALL_PIPE);
    loop {
        // The pipe is empty: who would block is the connection.
        let mut left = from.async_io(Interest::READABLE, || pass(from, &writer, size)).await?;
        if left == 0 {
            return Ok(());
        }
        while left > 0 {
            left -= to.async_io(Interest::WRITABLE, || pass(&reader, to, left)).await?;
        }
    }
}

fn pass(from: impl AsFd, to: impl AsFd, most: usize) -> io::Result<usize> {
    let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
    Ok(rustix::pipe::splice(from, None, to, None, most, flags)?)
}
