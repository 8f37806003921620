//! What an agent and a shim say to one another: lines of JSON over a Unix socket, some with file descriptors.

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde::{Deserialize, Serialize};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::SystemTime;

/// Longest line.
pub(super) const MAX_LINE: usize = 1 << 20;
/// Most descriptors with a line.
const MAX_FDS: usize = 3;

/// What an agent asks. One connection carries one of the first four, then messages about it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Request {
    /// Tell when the container has ended.
    Watch,
    /// Send a signal to the first process.
    Kill(i32),
    /// Run a further program. The descriptors are its standard streams, those that it has, in order. It
    /// is killed when the connection ends.
    Exec(Exec),
    /// Join the first process's streams. The descriptors are the other ends.
    Attach(Which),
    /// The size of the terminal: columns, rows.
    Resize(u16, u16),
}

/// A further program.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Exec {
    pub(super) args: Vec<String>,
    pub(super) tty: bool,
    pub(super) streams: Which,
}

/// Which standard streams.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Which {
    pub(super) stdin: bool,
    pub(super) stdout: bool,
    pub(super) stderr: bool,
}

/// What a shim answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Reply {
    /// The program runs. With a terminal, for exec, its master comes along.
    Started {
        /// As the node numbers it.
        pid: u32,
        /// Since when.
        started_at: SystemTime,
    },
    /// It was done.
    Done,
    /// It could not be done, or the program not be started.
    Failed(String),
    /// The program has ended.
    Exited(i32),
}

/// One line with its newline.
pub(super) fn encode<T: Serialize>(message: &T) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    Ok(line)
}

/// Sends bytes, the descriptors with the first of them. May send fewer.
pub(super) fn send(socket: impl AsFd, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(io::Error::other("too many descriptors"));
    }
    Ok(sendmsg(socket, &[IoSlice::new(bytes)], &mut ancillary, SendFlags::NOSIGNAL)?)
}

/// Receives bytes and the descriptors that came with them. No bytes means the end.
pub(super) fn receive(
    socket: impl AsFd,
    buffer: &mut [u8],
    fds: &mut Vec<OwnedFd>,
) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC;
    let message = recvmsg(socket, &mut [IoSliceMut::new(buffer)], &mut ancillary, flags)?;
    for part in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(more) = part {
            fds.extend(more);
        }
    }
    Ok(message.bytes)
}

/// Takes the first whole line out of `buffer`.
pub(super) fn take_line(buffer: &mut Vec<u8>) -> Option<Vec<u8>> {
    let end = buffer.iter().position(|b| *b == b'\n')?;
    let mut line: Vec<u8> = buffer.drain(..=end).collect();
    line.pop();
    Some(line)
}
