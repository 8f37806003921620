//! TCP: one task per connection, bytes carried both ways.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::balancer::Balancer;
use super::splice;

/// How long one endpoint may take to accept before the next is tried.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// A pause after an accept that failed for want of something, such as file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Accepts until dropped; with `max_connections` open, further ones wait in the kernel's queue.
pub(super) async fn serve(listener: TcpListener, balancer: Arc<Balancer>, max_connections: usize) {
    let permits = Arc::new(Semaphore::new(max_connections));
    let mut connections = JoinSet::new();
    loop {
        let permit = permits.clone().acquire_owned().await.expect("the semaphore is never closed");
        while connections.try_join_next().is_some() {}
        let (client, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let balancer = balancer.clone();
        connections.spawn(async move {
            if let Err(error) = forward(client, from.ip(), &balancer).await {
                tracing::debug!(%from, %error, "connection ended");
            }
            drop(permit);
        });
    }
}

async fn forward(client: TcpStream, from: IpAddr, balancer: &Balancer) -> io::Result<()> {
    let endpoint = connect(from, balancer).await?;
    client.set_nodelay(true)?;
    endpoint.set_nodelay(true)?;
    splice::both_ways(client, endpoint).await
}

/// Connects to an endpoint; each gets a chance when others do not answer.
async fn connect(from: IpAddr, balancer: &Balancer) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::ConnectionRefused, "the Service has no endpoints");
    for _ in 0..balancer.len() {
        let Some(endpoint) = balancer.pick(from) else { break };
        match timeout(CONNECT_TIMEOUT, TcpStream::connect(endpoint)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = error,
            Err(_) => {
                last = io::Error::new(io::ErrorKind::TimedOut, format!("{endpoint} did not accept"))
            }
        }
        balancer.forget(from);
    }
    Err(last)
}
