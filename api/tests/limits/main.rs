//! What clients can't take up, over real connections: time, headers, room; and how a server ends.

mod access;
mod clients;
mod drain;
mod fairness;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use windlass_api::server::{ApiServer, Builder, ServeOptions};
use windlass_core::component::Shutdown;

pub(crate) type Outgoing = Full<Bytes>;

/// No test waits longer for anything.
pub(crate) const SOON: Duration = Duration::from_secs(10);

/// A server on a socket.
pub(crate) struct Served {
    pub(crate) server: Arc<ApiServer>,
    pub(crate) address: SocketAddr,
    pub(crate) shutdown: Shutdown,
    pub(crate) serving: JoinHandle<()>,
}

impl Served {
    pub(crate) async fn start(builder: Builder, options: ServeOptions) -> Self {
        let server = builder.build().await.expect("a server");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let shutdown = Shutdown::new();
        let serving = tokio::spawn(server.clone().serve(listener, options, shutdown.clone()));
        Self { server, address, shutdown, serving }
    }

    pub(crate) async fn tcp(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("a connection")
    }

    pub(crate) async fn http1(&self) -> http1::SendRequest<Outgoing> {
        let io = TokioIo::new(self.tcp().await);
        let (send, connection) = http1::handshake(io).await.expect("HTTP/1.1");
        tokio::spawn(connection);
        send
    }

    pub(crate) async fn http2(
        &self,
    ) -> (http2::SendRequest<Outgoing>, JoinHandle<hyper::Result<()>>) {
        let io = TokioIo::new(self.tcp().await);
        let (send, connection) = http2::handshake(TokioExecutor::new(), io).await.expect("HTTP/2");
        (send, tokio::spawn(connection))
    }

    /// Tells the server to end, and waits until it has.
    pub(crate) async fn end(self) {
        self.shutdown.cancel();
        soon(self.serving).await.expect("it does not panic");
    }
}

pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, future).await.expect("in time")
}

pub(crate) fn get(path: &str) -> Request<Outgoing> {
    let request = Request::get(path).header("host", "x");
    request.body(Full::default()).expect("a request")
}

pub(crate) async fn text(response: Response<Incoming>) -> String {
    let body = soon(response.into_body().collect()).await.expect("a whole answer");
    String::from_utf8_lossy(&body.to_bytes()).into_owned()
}

/// What is still said until the connection is closed.
pub(crate) async fn rest(stream: &mut TcpStream) -> String {
    let mut said = Vec::new();
    soon(stream.read_to_end(&mut said)).await.ok();
    String::from_utf8_lossy(&said).into_owned()
}
