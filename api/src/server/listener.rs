//! The server on a socket: TLS, HTTP/1.1 and HTTP/2, limits, and an end that loses nothing.

use super::ApiServer;
use super::batching::Batching;
use super::patient::Patient;
use crate::authentication::PeerCertificates;
use crate::endpoints;
use http::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_util::task::TaskTracker;
use windlass_core::component::Shutdown;

/// How long a TLS handshake may take, and until it is clear which HTTP a client speaks.
const HELLO: Duration = Duration::from_secs(10);
/// A client of HTTP/2 that does not answer a ping for so long is gone.
const PING: Duration = Duration::from_secs(30);
/// Waiting time when no connection can be accepted.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);
/// The headers of a request together, in bytes.
const HEADERS: usize = 256 << 10;
/// Streams that a client opened and reset before they were looked at (CVE-2023-44487), and streams reset for faults of
/// the client.
const RESETS: usize = 64;

/// How to serve on a socket.
#[derive(Clone)]
pub struct ServeOptions {
    /// With TLS; without it the socket must be a local one.
    pub tls: Option<Arc<ServerConfig>>,
    /// Connections at once. More have to wait.
    pub connections: usize,
    /// Streams of one HTTP/2 connection at once.
    pub streams: u32,
    /// A connection of HTTP/1.1 on which no request arrives for so long, its headers whole, is closed.
    pub idle: Duration,
    /// A connection whose client takes nothing for so long is closed.
    pub stall: Duration,
    /// How long all goes on after the end was announced (`/readyz` fails), for load balancers to notice.
    pub delay: Duration,
    /// How long requests may take to end at the end.
    pub drain: Duration,
}

// === impl ServeOptions ===

impl Default for ServeOptions {
    /// Plain, 10,000 connections with 1,000 streams each; no delay, ten seconds to end.
    fn default() -> Self {
        Self {
            tls: None,
            connections: 10_000,
            streams: 1000,
            idle: Duration::from_secs(90),
            stall: Duration::from_secs(60),
            delay: Duration::ZERO,
            drain: Duration::from_secs(10),
        }
    }
}

// === impl ApiServer ===

impl ApiServer {
    /// Serves connections until `shutdown`. Then `/readyz` fails, and after the delay watches end, requests that are
    /// worked on are finished, new ones told to ask elsewhere, and connections told that there will be no more
    /// (GOAWAY). Returns when all are closed, or after the time to drain.
    pub async fn serve(
        self: Arc<Self>,
        listener: TcpListener,
        options: ServeOptions,
        shutdown: Shutdown,
    ) {
        let connections = TaskTracker::new();
        let (delay, drain) = (options.delay, options.drain);
        let accepting = self.clone().accept(listener, options, connections.clone());
        let mut accepting = std::pin::pin!(accepting);
        // Ends by the shutdown only.
        shutdown.run_until_cancelled(accepting.as_mut()).await;
        self.announce_end();
        if !delay.is_zero() && tokio::time::timeout(delay, accepting.as_mut()).await.is_ok() {
            return;
        }
        self.refusing.cancel();
        self.close();
        connections.close();
        tokio::select! {
            () = connections.wait() => {}
            () = accepting => {}
            () = tokio::time::sleep(drain) => tracing::warn!("some requests did not end in time"),
        }
    }

    /// Takes connections, for ever. To the end, so that clients are answered, not left without a word.
    async fn accept(
        self: Arc<Self>,
        listener: TcpListener,
        options: ServeOptions,
        connections: TaskTracker,
    ) {
        let places = Arc::new(Semaphore::new(options.connections));
        let tls = options.tls.clone().map(TlsAcceptor::from);
        loop {
            let place = places.clone().acquire_owned().await.expect("it is never closed");
            let stream = accept(&listener).await;
            let connection = Connection {
                server: self.clone(),
                tls: tls.clone(),
                options: options.clone(),
                _place: place,
            };
            connections.spawn(connection.run(stream));
        }
    }
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => {
                tracing::warn!(%error, "no connection can be accepted");
                tokio::time::sleep(ACCEPT_AGAIN).await;
            }
        }
    }
}

struct Connection {
    server: Arc<ApiServer>,
    tls: Option<TlsAcceptor>,
    options: ServeOptions,
    _place: OwnedSemaphorePermit,
}

// === impl Connection ===

impl Connection {
    async fn run(self, stream: TcpStream) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection was gone at once");
            return;
        }
        let address = stream.peer_addr().ok();
        let Some(tls) = &self.tls else { return self.http(stream, false, address, None).await };
        match tokio::time::timeout(HELLO, tls.accept(stream)).await {
            Ok(Ok(stream)) => {
                let shown = stream.get_ref().1.peer_certificates();
                let peer = shown.map(|shown| PeerCertificates::new(shown.into()));
                let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                self.http(stream, http2, address, peer).await;
            }
            Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
            Err(_) => tracing::debug!("TLS handshake took too long"),
        }
    }

    async fn http<S>(
        self,
        stream: S,
        http2: bool,
        address: Option<SocketAddr>,
        peer: Option<PeerCertificates>,
    ) where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (server, asked) = (self.server.clone(), Shutdown::new());
        let begun = asked.clone();
        let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
            begun.cancel();
            if let Some(address) = address {
                request.extensions_mut().insert(address);
            }
            if let Some(peer) = &peer {
                request.extensions_mut().insert(peer.clone());
            }
            let answer = endpoints::serve(server.clone(), request.map(endpoints::boxed));
            async move { Ok::<_, Infallible>(answer.await) }
        });
        let stream = Batching::new(Patient::new(stream, HELLO, self.options.stall), http2);
        let builder = self.builder();
        let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        let ending = async {
            self.server.refusing.cancelled().await;
            // One that has just begun gets an answer to its first request.
            drop(tokio::time::timeout(self.options.drain / 2, asked.cancelled()).await);
        };
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = ending => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended with an error");
        }
    }

    fn builder(&self) -> auto::Builder<TokioExecutor> {
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(self.options.idle)
            // One more than are let in: the refusal says why.
            .max_headers(self.server.limits.headers + 1)
            .max_buf_size(HEADERS)
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(self.options.streams)
            .max_header_list_size(HEADERS as u32)
            .max_pending_accept_reset_streams(RESETS)
            .max_local_error_reset_streams(RESETS)
            .keep_alive_interval(PING)
            .keep_alive_timeout(PING);
        builder
    }
}
