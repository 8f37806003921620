//! The cluster DNS address, made this node's own.

#[cfg(test)]
mod tests;

use std::io;
use std::net::IpAddr;

use nix::libc::{AF_INET, AF_INET6};

use crate::netlink::{Batch, NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, Socket, attributes};

/// The loopback interface is the first of every network namespace.
const LOOPBACK: u32 = 1;
/// What marks an address as put there by this program. Kernels before 5.18 keep no mark.
const OURS: u8 = 0x77;

/// Numbers of the kernel's interface for addresses (`linux/rtnetlink.h`, `linux/if_addr.h`).
const RTM_NEWADDR: u16 = 20;
const RTM_DELADDR: u16 = 21;
const RTM_GETADDR: u16 = 22;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_PROTO: u16 = 11;
const HEADER_LEN: usize = 8;

/// An address on the loopback interface, for as long as this lives; packets of pods reach it as they reach
/// any address of their node.
#[derive(Debug)]
pub(super) struct LocalAddress {
    address: IpAddr,
}

// === impl LocalAddress ===

impl LocalAddress {
    /// Puts it there, or takes over what an earlier run left; `None` when somebody else has put it there, whose it
    /// stays. Whether it could be bound tells nothing: where `ip_nonlocal_bind` is set, any address can.
    ///
    /// # Errors
    /// When the process may not change interfaces.
    pub(super) fn take(address: IpAddr) -> io::Result<Option<Self>> {
        let ours = match change(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, address) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => is_marked(address)?,
            Err(error) => return Err(error),
        };
        // Made only where it is ours: what is dropped is given back.
        Ok(ours.then(|| Self { address }))
    }
}

impl Drop for LocalAddress {
    fn drop(&mut self) {
        if let Err(error) = change(RTM_DELADDR, 0, self.address) {
            tracing::warn!(address = %self.address, %error, "the address stays on the loopback interface");
        }
    }
}

fn change(kind: u16, flags: u16, address: IpAddr) -> io::Result<()> {
    let (family, octets) = raw(address);
    let prefix = if address.is_ipv4() { 32 } else { 128 };
    let [a, b, c, d] = LOOPBACK.to_ne_bytes();
    let mut request = Batch::default();
    request.message(kind, flags | NLM_F_ACK, [family, prefix, 0, 0, a, b, c, d], |m| {
        m.bytes(IFA_LOCAL, &octets);
        m.bytes(IFA_ADDRESS, &octets);
        m.u8(IFA_PROTO, OURS);
    });
    Socket::route()?.transact(&request)
}

/// Whether the address that is there bears this program's mark.
fn is_marked(address: IpAddr) -> io::Result<bool> {
    let (family, octets) = raw(address);
    let mut request = Batch::default();
    request.message(RTM_GETADDR, NLM_F_DUMP, [family, 0, 0, 0, 0, 0, 0, 0], |_| {});
    let mut marked = false;
    Socket::route()?.dump(&request, |reply| {
        let has = |wanted: u16, bytes: &[u8]| {
            let mut all = attributes(reply.body.get(HEADER_LEN..).unwrap_or_default());
            all.any(|(attribute, value)| attribute == wanted && value == bytes)
        };
        marked |= has(IFA_ADDRESS, &octets) && has(IFA_PROTO, &[OURS]);
    })?;
    Ok(marked)
}

fn raw(address: IpAddr) -> (u8, Vec<u8>) {
    match address {
        IpAddr::V4(ip) => (AF_INET as u8, ip.octets().to_vec()),
        IpAddr::V6(ip) => (AF_INET6 as u8, ip.octets().to_vec()),
    }
}
