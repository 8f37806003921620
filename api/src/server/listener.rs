//! The server on a socket: TLS, HTTP/1.1 and HTTP/2, limits, and an end that loses nothing.

use super::ApiServer;
use crate::authentication::PeerCertificates;
use crate::endpoints;
use http::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use windlass_core::component::Shutdown;

/// How long a TLS handshake may take.
const HELLO: Duration = Duration::from_secs(10);
/// A connection of HTTP/1.1 on which no request arrives for so long, whole, is closed.
const IDLE: Duration = Duration::from_secs(90);
/// Waiting time when no connection can be accepted.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);
/// Streams of one HTTP/2 connection.
const STREAMS: u32 = 1000;

/// How to serve on a socket.
#[derive(Clone)]
pub struct ServeOptions {
    /// With TLS; without it the socket must be a local one.
    pub tls: Option<Arc<ServerConfig>>,
    /// Connections at once. More have to wait.
    pub connections: usize,
    /// How long requests may take to end at the end.
    pub drain: Duration,
}

// === impl ServeOptions ===

impl Default for ServeOptions {
    /// Plain, 10,000 connections, ten seconds.
    fn default() -> Self {
        Self { tls: None, connections: 10_000, drain: Duration::from_secs(10) }
    }
}

// === impl ApiServer ===

impl ApiServer {
    /// Serves connections until `shutdown`; then ends watches, lets requests end, and returns.
    pub async fn serve(
        self: Arc<Self>,
        listener: TcpListener,
        options: ServeOptions,
        shutdown: Shutdown,
    ) {
        let graceful = GracefulShutdown::new();
        let places = Arc::new(Semaphore::new(options.connections));
        let accept = async {
            loop {
                let place = places.clone().acquire_owned().await.expect("it is never closed");
                let stream = accept(&listener).await;
                let connection = Connection {
                    server: self.clone(),
                    tls: options.tls.clone().map(TlsAcceptor::from),
                    watcher: graceful.watcher(),
                    _place: place,
                };
                tokio::spawn(connection.run(stream));
            }
        };
        // Ends by the shutdown only.
        shutdown.run_until_cancelled(accept).await;
        drop(listener);
        self.close();
        if tokio::time::timeout(options.drain, graceful.shutdown()).await.is_err() {
            tracing::warn!("some requests did not end in time");
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
    watcher: Watcher,
    _place: OwnedSemaphorePermit,
}

// === impl Connection ===

impl Connection {
    async fn run(self, stream: TcpStream) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection was gone at once");
            return;
        }
        let Some(tls) = &self.tls else { return self.http(stream, None).await };
        match tokio::time::timeout(HELLO, tls.accept(stream)).await {
            Ok(Ok(stream)) => {
                let shown = stream.get_ref().1.peer_certificates();
                let peer = shown.map(|shown| PeerCertificates(shown.into()));
                self.http(stream, peer).await;
            }
            Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
            Err(_) => tracing::debug!("TLS handshake took too long"),
        }
    }

    async fn http<S>(self, stream: S, peer: Option<PeerCertificates>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let server = self.server;
        let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
            if let Some(peer) = &peer {
                request.extensions_mut().insert(peer.clone());
            }
            let answer = endpoints::serve(server.clone(), request.map(endpoints::boxed));
            async move { Ok::<_, Infallible>(answer.await) }
        });
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(IDLE)
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS)
            .keep_alive_interval(Duration::from_secs(30));
        let io = TokioIo::new(stream);
        let connection = builder.serve_connection_with_upgrades(io, service).into_owned();
        if let Err(error) = self.watcher.watch(connection).await {
            tracing::debug!(%error, "a connection ended with an error");
        }
    }
}
