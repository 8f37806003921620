//! One connection of an agent.

use super::launch::{Process, nonblocking};
use super::log::Stream;
use crate::runtime::oci::protocol::{self, MAX_LINE, Reply, Request, Which, encode, take_line};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

/// A connection and what it is for.
pub(super) struct Client {
    pub(super) socket: UnixStream,
    pub(super) role: Role,
    buffer: Vec<u8>,
    pub(super) fds: Vec<OwnedFd>,
    /// To be forgotten.
    pub(super) over: bool,
}

/// What a connection is for.
pub(super) enum Role {
    /// It has not said.
    New,
    /// Waits for the end of the container.
    Watch,
    /// Holds a further program.
    Exec(Process),
    /// Holds streams of the first process.
    Attach(Attached),
}

/// Other ends of the first process's streams.
pub(super) struct Attached {
    pub(super) stdin: Option<OwnedFd>,
    pub(super) outputs: Vec<Output>,
}

/// A stream that copies go to. What the reader is slow to take waits in `pending`; meanwhile the
/// container's own stream is not read, so the container waits as well.
pub(super) struct Output {
    pub(super) stream: Stream,
    pub(super) fd: OwnedFd,
    pub(super) pending: Vec<u8>,
}

// === impl Client ===

impl Client {
    pub(super) fn new(socket: UnixStream) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self { socket, role: Role::New, buffer: Vec::new(), fds: Vec::new(), over: false })
    }

    /// Reads what came and gives the requests in it; marks the client when it has hung up.
    pub(super) fn requests(&mut self) -> io::Result<Vec<Request>> {
        let mut chunk = [0_u8; 4096];
        match protocol::receive(&self.socket, &mut chunk, &mut self.fds) {
            Ok(0) => self.over = true,
            Ok(n) => self.buffer.extend_from_slice(&chunk[..n]),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            Err(e) => return Err(e),
        }
        if self.buffer.len() > MAX_LINE {
            return Err(io::Error::other("a request is too long"));
        }
        let mut all = Vec::new();
        while let Some(line) = take_line(&mut self.buffer) {
            all.push(serde_json::from_slice(&line)?);
        }
        Ok(all)
    }

    /// Sends a reply, with the descriptors. A reply that doesn't fit the socket's buffer ends the connection.
    pub(super) fn reply(&mut self, reply: &Reply, fds: &[std::os::fd::BorrowedFd<'_>]) {
        let sent = encode(reply).and_then(|line| {
            let n = protocol::send(&self.socket, &line, fds)?;
            (&self.socket).write_all(&line[n..])
        });
        if sent.is_err() {
            self.over = true;
        }
    }

    /// Takes the descriptors that came with a request, in order.
    pub(super) fn take_streams(&mut self, which: Which) -> [Option<OwnedFd>; 3] {
        let mut fds = std::mem::take(&mut self.fds).into_iter();
        [which.stdin, which.stdout, which.stderr].map(|has| if has { fds.next() } else { None })
    }
}

// === impl Attached ===

impl Attached {
    pub(super) fn new([stdin, stdout, stderr]: [Option<OwnedFd>; 3]) -> io::Result<Self> {
        let outputs = [(Stream::Stdout, stdout), (Stream::Stderr, stderr)];
        let mut this = Self { stdin, outputs: Vec::new() };
        if let Some(fd) = &this.stdin {
            nonblocking(fd)?;
        }
        for (stream, fd) in outputs {
            if let Some(fd) = fd {
                nonblocking(&fd)?;
                this.outputs.push(Output { stream, fd, pending: Vec::new() });
            }
        }
        Ok(this)
    }
}

// === impl Output ===

impl Output {
    /// Writes what it can. `false` when nobody reads any more.
    pub(super) fn push(&mut self, data: &[u8]) -> bool {
        self.pending.extend_from_slice(data);
        while !self.pending.is_empty() {
            match rustix::io::write(&self.fd, &self.pending) {
                Ok(n) => drop(self.pending.drain(..n)),
                Err(rustix::io::Errno::AGAIN) => return true,
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return false,
            }
        }
        true
    }
}
