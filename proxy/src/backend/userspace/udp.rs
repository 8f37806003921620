//! UDP: one session per client, which ends when it is idle or its endpoint is gone.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use tokio::net::UdpSocket;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, timeout_at};

use super::balancer::Balancer;

/// So long neither client nor endpoint may have sent anything before their session ends.
const IDLE: Duration = Duration::from_secs(30);
const MAX_DATAGRAM: usize = 65_535;

type Sessions = Arc<Mutex<FxHashMap<SocketAddr, Session>>>;

/// When the last datagram went either way.
type Last = Arc<Mutex<Instant>>;

struct Session {
    endpoint: SocketAddr,
    socket: Arc<UdpSocket>,
    last: Last,
    answers: AbortHandle,
}

/// Forwards until dropped; new clients beyond `max_clients` are not served.
pub(super) async fn serve(socket: UdpSocket, balancer: Arc<Balancer>, max_clients: usize) {
    let server =
        Server { socket: Arc::new(socket), balancer, max_clients, sessions: Sessions::default() };
    let mut tasks = JoinSet::new();
    let mut buffer = vec![0; MAX_DATAGRAM];
    loop {
        // An error here is an earlier answer that could not be delivered: its client is gone.
        let Ok((len, client)) = server.socket.recv_from(&mut buffer).await else { continue };
        while tasks.try_join_next().is_some() {}
        if let Err(error) = server.forward(&buffer[..len], client, &mut tasks).await {
            tracing::debug!(%client, %error, "datagram lost");
        }
    }
}

struct Server {
    socket: Arc<UdpSocket>,
    balancer: Arc<Balancer>,
    max_clients: usize,
    sessions: Sessions,
}

// === impl Server ===

impl Server {
    async fn forward(
        &self,
        datagram: &[u8],
        client: SocketAddr,
        tasks: &mut JoinSet<()>,
    ) -> io::Result<()> {
        let session = match self.session(client) {
            Some(session) => session,
            None => self.open(client, tasks).await?,
        };
        session.send(datagram).await.map(|_| ())
    }

    /// The client's session, unless its endpoint no longer serves.
    fn session(&self, client: SocketAddr) -> Option<Arc<UdpSocket>> {
        let mut sessions = self.sessions.lock();
        let session = sessions.get(&client)?;
        if self.balancer.has(session.endpoint) {
            *session.last.lock() = Instant::now();
            return Some(session.socket.clone());
        }
        session.answers.abort();
        sessions.remove(&client);
        None
    }

    async fn open(
        &self,
        client: SocketAddr,
        tasks: &mut JoinSet<()>,
    ) -> io::Result<Arc<UdpSocket>> {
        if self.sessions.lock().len() >= self.max_clients {
            return Err(io::Error::other("too many clients"));
        }
        let endpoint = self
            .balancer
            .pick(client.ip())
            .ok_or_else(|| io::Error::other("the Service has no endpoints"))?;
        let any: SocketAddr = if endpoint.is_ipv4() {
            (Ipv4Addr::UNSPECIFIED, 0).into()
        } else {
            (Ipv6Addr::UNSPECIFIED, 0).into()
        };
        let socket = Arc::new(UdpSocket::bind(any).await?);
        socket.connect(endpoint).await?;
        let last = Arc::new(Mutex::new(Instant::now()));
        let (listener, sessions) = (self.socket.clone(), self.sessions.clone());
        let answers = tasks.spawn(answer(listener, socket.clone(), client, last.clone(), sessions));
        let session = Session { endpoint, socket: socket.clone(), last, answers };
        self.sessions.lock().insert(client, session);
        Ok(socket)
    }
}

/// Carries the endpoint's answers to the client until both have been silent for a while.
async fn answer(
    listener: Arc<UdpSocket>,
    endpoint: Arc<UdpSocket>,
    client: SocketAddr,
    last: Last,
    sessions: Sessions,
) {
    let mut buffer = vec![0; MAX_DATAGRAM];
    loop {
        let until = *last.lock() + IDLE;
        match timeout_at(until, endpoint.recv(&mut buffer)).await {
            Ok(Ok(len)) => {
                *last.lock() = Instant::now();
                if let Err(error) = listener.send_to(&buffer[..len], client).await {
                    tracing::debug!(%client, %error, "answer lost");
                }
            }
            Err(_) if *last.lock() + IDLE > Instant::now() => {}
            Ok(Err(_)) | Err(_) => break,
        }
    }
    let mut sessions = sessions.lock();
    // The client may have a new one by now.
    if sessions.get(&client).is_some_and(|session| Arc::ptr_eq(&session.socket, &endpoint)) {
        sessions.remove(&client);
    }
}
