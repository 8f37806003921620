//! Netlink messages and the socket that carries them, of whichever protocol.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, getsockname, recv,
    sendto, setsockopt, socket, sockopt,
};

use nix::sys::time::{TimeVal, TimeValLike};

/// Numbers that all of netlink has in common (`linux/netlink.h`).
pub(crate) const NLM_F_REQUEST: u16 = 0x1;
pub(crate) const NLM_F_ACK: u16 = 0x4;
pub(crate) const NLM_F_DUMP: u16 = 0x300;
pub(crate) const NLM_F_EXCL: u16 = 0x200;
pub(crate) const NLM_F_CREATE: u16 = 0x400;
pub(crate) const NLM_F_APPEND: u16 = 0x800;
pub(crate) const NLA_F_NESTED: u16 = 0x8000;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;

/// The longest answer to read at once.
pub(crate) const RECEIVE_BUFFER: usize = 64 * 1024;
/// How long the next part of a dump may take.
const ANSWER_SECONDS: i64 = 5;
const HEADER_LEN: usize = 16;

/// Messages that go to the kernel in one write.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    sequence: u32,
}

/// A message under construction; its length is set when it ends.
pub(crate) struct Message<'a> {
    bytes: &'a mut Vec<u8>,
}

/// A netlink socket of one protocol, in the network namespace of the thread that opened it.
#[derive(Debug)]
pub(crate) struct Socket {
    fd: OwnedFd,
    send_buffer: usize,
}

/// One message of an answer.
pub(crate) struct Reply<'a> {
    pub(crate) kind: u16,
    /// The port id of who caused it.
    pub(crate) sender: u32,
    pub(crate) body: &'a [u8],
}

// === impl Batch ===

impl Batch {
    /// Appends one message that begins with its family's header; `build` adds its attributes.
    pub(crate) fn message(
        &mut self,
        kind: u16,
        flags: u16,
        header: impl AsRef<[u8]>,
        build: impl FnOnce(&mut Message<'_>),
    ) {
        let start = self.bytes.len();
        self.sequence += 1;
        self.bytes.extend_from_slice(&[0; 4]);
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(&(flags | NLM_F_REQUEST).to_ne_bytes());
        self.bytes.extend_from_slice(&self.sequence.to_ne_bytes());
        self.bytes.extend_from_slice(&[0; 4]);
        self.bytes.extend_from_slice(header.as_ref());
        build(&mut Message { bytes: &mut self.bytes });
        let len =
            u32::try_from(self.bytes.len() - start).expect("a message is far shorter than 4 GiB");
        self.bytes[start..start + 4].copy_from_slice(&len.to_ne_bytes());
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

// === impl Message ===

impl Message<'_> {
    pub(crate) fn bytes(&mut self, attribute: u16, value: &[u8]) {
        self.put(attribute, value.len(), |bytes| bytes.extend_from_slice(value));
    }

    pub(crate) fn u8(&mut self, attribute: u16, value: u8) {
        self.bytes(attribute, &[value]);
    }

    pub(crate) fn u32(&mut self, attribute: u16, value: u32) {
        self.bytes(attribute, &value.to_be_bytes());
    }

    pub(crate) fn u64(&mut self, attribute: u16, value: u64) {
        self.bytes(attribute, &value.to_be_bytes());
    }

    pub(crate) fn string(&mut self, attribute: u16, value: &str) {
        self.put(attribute, value.len() + 1, |bytes| {
            bytes.extend_from_slice(value.as_bytes());
            bytes.push(0);
        });
    }

    pub(crate) fn nested(&mut self, attribute: u16, build: impl FnOnce(&mut Message<'_>)) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 2]);
        self.bytes.extend_from_slice(&(attribute | NLA_F_NESTED).to_ne_bytes());
        build(&mut Message { bytes: self.bytes });
        let len = u16::try_from(self.bytes.len() - start)
            .expect("nested attributes are kept below 64 KiB");
        self.bytes[start..start + 2].copy_from_slice(&len.to_ne_bytes());
    }

    /// How long the batch is by now.
    pub(crate) fn position(&self) -> usize {
        self.bytes.len()
    }

    fn put(&mut self, attribute: u16, len: usize, write: impl FnOnce(&mut Vec<u8>)) {
        let total = u16::try_from(len + 4).expect("attributes are kept below 64 KiB");
        self.bytes.extend_from_slice(&total.to_ne_bytes());
        self.bytes.extend_from_slice(&attribute.to_ne_bytes());
        write(self.bytes);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

// === impl Socket ===

impl Socket {
    /// One that speaks with nftables and with connection tracking.
    pub(crate) fn netfilter() -> io::Result<Self> {
        Self::open(SockProtocol::NetlinkNetFilter)
    }

    /// One that speaks of interfaces and addresses.
    pub(crate) fn route() -> io::Result<Self> {
        Self::open(SockProtocol::NetlinkRoute)
    }

    fn open(protocol: SockProtocol) -> io::Result<Self> {
        let fd = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)?;
        setsockopt(&fd, sockopt::RcvBuf, &(1 << 20))?;
        setsockopt(&fd, sockopt::ReceiveTimeout, &TimeVal::seconds(ANSWER_SECONDS))?;
        Ok(Self { fd, send_buffer: 0 })
    }

    /// Sends a batch and waits for the answer to its last message.
    ///
    /// The kernel works on a batch while it is being sent, and its answers are there when the
    /// call returns. So nothing is waited for: no answer at all means that it was lost.
    pub(crate) fn transact(&mut self, batch: &Batch) -> io::Result<()> {
        let mut acknowledged = false;
        let mut first_error = None;
        self.request(batch, |answer| match answer {
            None => acknowledged = true,
            Some(error) => _ = first_error.get_or_insert(error),
        })?;
        match first_error {
            Some(error) => Err(error),
            None if acknowledged => Ok(()),
            None => Err(io::Error::new(io::ErrorKind::TimedOut, "the kernel did not answer")),
        }
    }

    /// Sends messages and hands each acknowledgement (`None`) and error to `each`.
    pub(crate) fn request(
        &mut self,
        batch: &Batch,
        mut each: impl FnMut(Option<io::Error>),
    ) -> io::Result<()> {
        self.send(batch.bytes())?;
        let mut buffer = vec![0; RECEIVE_BUFFER];
        loop {
            let len = match recv(self.fd.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT) {
                Ok(len) => len,
                Err(nix::Error::EAGAIN) => return Ok(()),
                Err(nix::Error::EINTR) => continue,
                Err(error) => return Err(error.into()),
            };
            replies(&buffer[..len])
                .filter(|reply| reply.kind == NLMSG_ERROR)
                .for_each(|reply| each(reply.error()));
        }
    }

    /// Sends a dump request and hands each message of the answer to `each`.
    pub(crate) fn dump(
        &mut self,
        request: &Batch,
        mut each: impl FnMut(&Reply<'_>),
    ) -> io::Result<()> {
        self.send(request.bytes())?;
        let mut buffer = vec![0; RECEIVE_BUFFER];
        loop {
            // A dump's next part is made when the one before is read: the call does not wait for anybody.
            let len = match recv(self.fd.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
                Ok(len) => len,
                Err(nix::Error::EINTR) => continue,
                Err(error) => return Err(error.into()),
            };
            for reply in replies(&buffer[..len]) {
                match reply.kind {
                    NLMSG_DONE => return Ok(()),
                    NLMSG_ERROR => return reply.error().map_or(Ok(()), Err),
                    _ => each(&reply),
                }
            }
        }
    }

    /// The address under which the kernel knows the socket: the sender in notifications.
    pub(crate) fn port_id(&self) -> io::Result<u32> {
        Ok(getsockname::<NetlinkAddr>(self.fd.as_raw_fd())?.pid())
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.reserve(bytes.len())?;
        let sent = loop {
            match sendto(self.fd.as_raw_fd(), bytes, &NetlinkAddr::new(0, 0), MsgFlags::empty()) {
                Err(nix::Error::EINTR) => {}
                result => break result?,
            }
        };
        if sent == bytes.len() {
            Ok(())
        } else {
            Err(io::Error::other("the kernel took only part of the batch"))
        }
    }

    /// A batch must fit the socket's send buffer whole.
    fn reserve(&mut self, len: usize) -> io::Result<()> {
        let wanted = len.next_power_of_two().max(1 << 18);
        if wanted > self.send_buffer {
            setsockopt(&self.fd, sockopt::SndBufForce, &wanted)?;
            self.send_buffer = wanted;
        }
        Ok(())
    }
}

// === impl Reply ===

impl Reply<'_> {
    /// The error that an `NLMSG_ERROR` carries, `None` when it acknowledges.
    fn error(&self) -> Option<io::Error> {
        let code = self.body.get(..4).map_or(-nix::libc::EBADMSG, |code| {
            i32::from_ne_bytes(code.try_into().expect("four bytes were taken"))
        });
        (code != 0).then(|| io::Error::from_raw_os_error(-code))
    }

    /// The attributes behind netfilter's four-byte header.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = (u16, &[u8])> {
        attributes(self.body.get(4..).unwrap_or_default())
    }
}

/// Splits a buffer into messages; what is malformed ends it.
pub(crate) fn replies(buffer: &[u8]) -> impl Iterator<Item = Reply<'_>> {
    let mut rest = buffer;
    std::iter::from_fn(move || {
        let header = rest.get(..HEADER_LEN)?;
        let len = u32::from_ne_bytes(header[..4].try_into().ok()?) as usize;
        let kind = u16::from_ne_bytes(header[4..6].try_into().ok()?);
        let sender = u32::from_ne_bytes(header[12..16].try_into().ok()?);
        let body = rest.get(HEADER_LEN..len)?;
        rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some(Reply { kind, sender, body })
    })
}

/// Splits attributes; what is malformed ends them.
pub(crate) fn attributes(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let header = rest.get(..4)?;
        let len = u16::from_ne_bytes([header[0], header[1]]) as usize;
        let kind = u16::from_ne_bytes([header[2], header[3]]) & 0x3fff;
        let value = rest.get(4..len)?;
        rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}
