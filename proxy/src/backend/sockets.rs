//! The node's addresses, and sockets that leave the other family alone: `::` and `0.0.0.0` may both be bound
//! to one port.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrStorage, bind, setsockopt, socket, sockopt,
};
use rustc_hash::FxHashSet;
use tokio::net::{TcpListener, TcpSocket, UdpSocket};
use tokio::time::{Instant, sleep_until};
use windlass_core::workqueue::Backoff;

const BACKLOG: u32 = 1024;
/// Waits between attempts to bind what somebody else has.
const RETRY: Backoff = Backoff { first: Duration::from_secs(1), max: Duration::from_secs(60) };

/// When to try again to bind what could not be bound.
#[derive(Debug, Default)]
pub(super) struct Retry {
    failures: u32,
    at: Option<Instant>,
}

// === impl Retry ===

impl Retry {
    /// Notes whether something is left to bind after an attempt.
    pub(super) fn note(&mut self, left: bool) {
        self.at = left.then(|| Instant::now() + RETRY.wait(self.failures));
        self.failures = if left { self.failures.saturating_add(1) } else { 0 };
    }

    /// Returns when it is time to; never while nothing is left.
    pub(super) async fn due(&self) {
        match self.at {
            Some(at) => sleep_until(at).await,
            None => std::future::pending().await,
        }
    }
}

/// Listens at an address.
pub(super) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => {
            let socket = TcpSocket::new_v6()?;
            setsockopt(&socket, sockopt::Ipv6V6Only, &true)?;
            socket
        }
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Takes datagrams at an address.
pub(super) fn datagrams(address: SocketAddr) -> io::Result<UdpSocket> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let bound = socket(family, SockType::Datagram, flags, None)?;
    if address.is_ipv6() {
        setsockopt(&bound, sockopt::Ipv6V6Only, &true)?;
    }
    bind(std::os::fd::AsRawFd::as_raw_fd(&bound), &SockaddrStorage::from(address))?;
    UdpSocket::from_std(bound.into())
}

/// Whether the machine lacks what the address needs: IPv6 is switched off, say.
pub(super) fn is_missing(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(nix::libc::EAFNOSUPPORT | nix::libc::EADDRNOTAVAIL))
}

/// All addresses of the calling thread's network namespace.
pub(super) fn own_addresses() -> io::Result<FxHashSet<IpAddr>> {
    let interfaces = nix::ifaddrs::getifaddrs()?;
    let address = |interface: nix::ifaddrs::InterfaceAddress| {
        let address = interface.address?;
        let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
    };
    Ok(interfaces.filter_map(address).collect())
}
