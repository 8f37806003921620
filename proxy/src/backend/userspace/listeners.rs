//! A bound address and the task that serves it.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, UdpSocket};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::balancer::Balancer;
use super::{tcp, udp};
use crate::backend::BackendError;
use crate::model::Protocol;

/// Serves until it is dropped; connections that are open then are closed.
#[derive(Debug)]
pub(super) struct Listener {
    address: SocketAddr,
    _stop: DropGuard,
}

// === impl Listener ===

impl Listener {
    pub(super) async fn start(
        protocol: Protocol,
        address: SocketAddr,
        balancer: Arc<Balancer>,
        max_connections: usize,
    ) -> Result<Self, BackendError> {
        let failed = |source| BackendError::Io { what: format!("bind {address}"), source };
        let stop = CancellationToken::new();
        let address = match protocol {
            Protocol::Udp => {
                let socket = UdpSocket::bind(address).await.map_err(failed)?;
                let address = socket.local_addr().map_err(failed)?;
                tokio::spawn(stop.clone().run_until_cancelled_owned(udp::serve(
                    socket,
                    balancer,
                    max_connections,
                )));
                address
            }
            Protocol::Tcp | Protocol::Sctp => {
                let listener = TcpListener::bind(address).await.map_err(failed)?;
                let address = listener.local_addr().map_err(failed)?;
                tokio::spawn(stop.clone().run_until_cancelled_owned(tcp::serve(
                    listener,
                    balancer,
                    max_connections,
                )));
                address
            }
        };
        Ok(Self { address, _stop: stop.drop_guard() })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}
