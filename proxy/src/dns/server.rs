//! Datagrams and streams in, answers out.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::metrics::Metrics;
use super::resolver::{Decision, Resolver, Rest, Verdict, encode};

/// The longest question: a name, and what EDNS adds to it.
const MAX_QUESTION: usize = 4096;
/// Questions that wait for other servers at once; more are told to try again.
const MAX_WAITING: usize = 1024;
const MAX_STREAMS: usize = 512;
/// A stream without a question for so long is closed (RFC 7766).
const IDLE: Duration = Duration::from_secs(10);
/// The pause after an error of a socket.
const PAUSE: Duration = Duration::from_millis(50);

/// Serves one address.
pub(super) struct Server {
    pub(super) resolver: Arc<Resolver>,
    pub(super) metrics: Metrics,
}

/// What listens on one address.
pub(super) struct Sockets {
    datagrams: Arc<UdpSocket>,
    streams: TcpListener,
}

// === impl Sockets ===

impl Sockets {
    /// Listens; with port 0 both get the same one.
    pub(super) async fn bind(address: SocketAddr) -> io::Result<Self> {
        let streams = TcpListener::bind(address).await?;
        let datagrams = Arc::new(UdpSocket::bind(streams.local_addr()?).await?);
        Ok(Self { datagrams, streams })
    }

    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        self.streams.local_addr()
    }
}

// === impl Server ===

impl Server {
    /// Serves until dropped.
    pub(super) async fn run(self: Arc<Self>, sockets: Sockets) {
        let streams = self.clone().serve_streams(sockets.streams);
        tokio::join!(self.serve_datagrams(sockets.datagrams), streams);
    }

    async fn serve_datagrams(&self, socket: Arc<UdpSocket>) {
        let mut buffer = vec![0; MAX_QUESTION];
        let mut waiting = JoinSet::new();
        loop {
            let (length, client) = match socket.recv_from(&mut buffer).await {
                Ok(received) => received,
                Err(error) => {
                    tracing::debug!(%error, "a datagram can't be received");
                    sleep(PAUSE).await;
                    continue;
                }
            };
            while waiting.try_join_next().is_some() {}
            let since = Instant::now();
            self.metrics.asked("udp");
            let Decision { verdict, limit } = self.resolver.decide(&buffer[..length]);
            let answer = match verdict {
                Verdict::Silence => continue,
                Verdict::Answer(answer) => answer,
                Verdict::Ask(rest) if waiting.len() >= MAX_WAITING => rest.give_up(),
                Verdict::Ask(rest) => {
                    let (socket, completed) = (socket.clone(), self.complete(*rest, since));
                    waiting.spawn(async move {
                        let answer = completed.await;
                        send(&socket, client, &answer, limit).await;
                    });
                    continue;
                }
            };
            self.count(&answer, since);
            send(&socket, client, &answer, limit).await;
        }
    }

    async fn serve_streams(self: Arc<Self>, listener: TcpListener) {
        let permits = Arc::new(Semaphore::new(MAX_STREAMS));
        let mut streams = JoinSet::new();
        loop {
            let permit = permits.clone().acquire_owned().await.expect("it is never closed");
            while streams.try_join_next().is_some() {}
            match listener.accept().await {
                Ok((stream, _)) => {
                    let server = self.clone();
                    streams.spawn(async move {
                        if let Err(error) = server.serve_stream(stream).await {
                            tracing::trace!(%error, "a stream ended");
                        }
                        drop(permit);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "accept failed");
                    sleep(PAUSE).await;
                }
            }
        }
    }

    async fn serve_stream(&self, mut stream: TcpStream) -> io::Result<()> {
        let mut buffer = Vec::new();
        loop {
            timeout(IDLE, read_question(&mut stream, &mut buffer)).await??;
            let since = Instant::now();
            self.metrics.asked("tcp");
            let answer = match self.resolver.decide(&buffer).verdict {
                Verdict::Silence => return Ok(()),
                Verdict::Answer(answer) => answer,
                Verdict::Ask(rest) => self.resolver.complete(*rest).await,
            };
            self.count(&answer, since);
            let Some(bytes) = encode(&answer, u16::MAX) else { return Ok(()) };
            let length = (bytes.len() as u16).to_be_bytes();
            timeout(IDLE, stream.write_all(&[&length[..], &bytes].concat())).await??;
        }
    }

    /// The answer that other servers complete, in a task of its own.
    fn complete(&self, rest: Rest, since: Instant) -> impl Future<Output = Message> + Send + use<> {
        let (resolver, metrics) = (self.resolver.clone(), self.metrics.clone());
        async move {
            let answer = resolver.complete(rest).await;
            metrics.answered(answer.metadata.response_code.to_str(), since.elapsed());
            answer
        }
    }

    fn count(&self, answer: &Message, since: Instant) {
        self.metrics.answered(answer.metadata.response_code.to_str(), since.elapsed());
    }
}

async fn send(socket: &UdpSocket, client: SocketAddr, answer: &Message, limit: u16) {
    let Some(bytes) = encode(answer, limit) else { return };
    if let Err(error) = socket.send_to(&bytes, client).await {
        tracing::debug!(%error, %client, "an answer can't be sent");
    }
}

async fn read_question(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<()> {
    let length = usize::from(stream.read_u16().await?);
    if length > MAX_QUESTION {
        return Err(io::Error::other(format!("a question of {length} bytes")));
    }
    buffer.resize(length, 0);
    stream.read_exact(buffer).await.map(|_| ())
}
