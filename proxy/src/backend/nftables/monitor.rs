//! Watches for changes that somebody else makes to the table.

use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram as StdDatagram;

use nix::sys::socket::{
    AddressFamily, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, socket,
};
use tokio::net::UnixDatagram;

use super::encode::TABLE;
use super::uapi::{NFNL_SUBSYS_NFTABLES, NFNLGRP_NFTABLES, NFTA_TABLE_NAME};
use crate::netlink::{RECEIVE_BUFFER, replies};

/// What the monitor saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notice {
    /// Somebody else changed the table.
    Foreign,
    /// More happened than could be told; the table may be another one.
    Overrun,
}

/// Follows the kernel's notifications of ruleset changes.
#[derive(Debug)]
pub(super) struct Monitor {
    /// A netlink socket: of a datagram socket just its receiving is used, which is the same.
    socket: UnixDatagram,
    own: Vec<u32>,
    buffer: Vec<u8>,
}

// === impl Monitor ===

impl Monitor {
    /// Begins to watch. What the sockets with the port ids `own` change is passed over. Needs a tokio runtime.
    pub(super) fn open(own: Vec<u32>) -> io::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let fd =
            socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkNetFilter)?;
        bind(fd.as_raw_fd(), &NetlinkAddr::new(0, 1 << (NFNLGRP_NFTABLES - 1)))?;
        let socket = UnixDatagram::from_std(StdDatagram::from(fd))?;
        Ok(Self { socket, own, buffer: vec![0; RECEIVE_BUFFER] })
    }

    /// The next notice. May be dropped and called again.
    pub(super) async fn next(&mut self) -> Notice {
        loop {
            match self.socket.recv(&mut self.buffer).await {
                Ok(len) if is_foreign(&self.buffer[..len], &self.own) => return Notice::Foreign,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Notice::Overrun,
            }
        }
    }
}

/// Whether a datagram tells of a change to the table by another sender. In each of nf_tables'
/// messages about tables, chains, rules, sets and elements the first attribute is the table's name.
fn is_foreign(datagram: &[u8], own: &[u32]) -> bool {
    replies(datagram).any(|reply| {
        let about_table = reply.attributes().any(|(attribute, value)| {
            attribute == NFTA_TABLE_NAME && value.strip_suffix(&[0]) == Some(TABLE.as_bytes())
        });
        reply.kind >> 8 == NFNL_SUBSYS_NFTABLES && about_table && !own.contains(&reply.sender)
    })
}
