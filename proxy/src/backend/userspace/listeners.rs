//! A bound address and the task that serves it.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio_util::sync::{CancellationToken, DropGuard};

use super::balancer::Balancer;
use super::{tcp, udp};
use crate::backend::{BackendError, sockets};
use crate::model::Protocol;

/// Serves until it is dropped; connections that are open then are closed.
#[derive(Debug)]
pub(super) struct Listener {
    address: SocketAddr,
    _stop: DropGuard,
}

// === impl Listener ===

impl Listener {
    /// Binds and serves; UDP by datagrams, else by streams.
    pub(super) fn start(
        protocol: Protocol,
        address: SocketAddr,
        balancer: Arc<Balancer>,
        max_connections: usize,
    ) -> Result<Self, BackendError> {
        let failed = |source| BackendError::Io { what: format!("bind {address}"), source };
        let stop = CancellationToken::new();
        let bound = if protocol == Protocol::Udp {
            let socket = sockets::datagrams(address).map_err(failed)?;
            let bound = socket.local_addr();
            let serving = udp::serve(socket, balancer, max_connections);
            tokio::spawn(stop.clone().run_until_cancelled_owned(serving));
            bound
        } else {
            let listener = sockets::listen(address).map_err(failed)?;
            let bound = listener.local_addr();
            let serving = tcp::serve(listener, balancer, max_connections);
            tokio::spawn(stop.clone().run_until_cancelled_owned(serving));
            bound
        };
        Ok(Self { address: bound.map_err(failed)?, _stop: stop.drop_guard() })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}
