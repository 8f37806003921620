//! Connections to agents and pods: dialed for one request each.

use super::backend::{Backend, Security};
use super::{answer, headers, objects, tls};
use crate::endpoints::{Body, BodyError};
use crate::pki::{self, CertificateResolver};
use crate::registry::Loopback;
use crate::server::ConnectRequest;
use bytes::Bytes;
use futures::StreamExt;
use http::{HeaderMap, Method, Response, StatusCode};
use http_body::Body as _;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_util::task::AbortOnDropHandle;
use windlass_core::meta::Status;

/// How long a connection may take to come about, TLS included.
const DIAL: Duration = Duration::from_secs(10);
/// How long a text that is read whole may take.
const READ: Duration = Duration::from_secs(10);

/// Speaks to the agents of nodes, and to pods. Cheap to clone, and may be used from many tasks.
#[derive(Clone)]
pub struct NodeClient {
    agents: TlsConnector,
    pods: TlsConnector,
}

/// What was answered, over a connection that ends when this is dropped.
pub(crate) struct Reply {
    pub(crate) response: Response<Incoming>,
    connection: AbortOnDropHandle<()>,
}

/// Why nothing was answered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DialError {
    /// It is none that may be dialed.
    #[error("address not allowed")]
    NotAllowed,
    /// The name can stand in no certificate. Retrying does not help.
    #[error("dial tcp {0}: not the name of a server")]
    Name(String),
    /// It can't be reached, or is not who it should be. May be better later.
    #[error("dial tcp {to}: {source}")]
    Connect { to: String, source: std::io::Error },
    /// It says nothing. May be better later.
    #[error("dial tcp {to}: no answer within {} s", after.as_secs())]
    Deadline { to: String, after: Duration },
    /// What it says is no HTTP, or it went away. May be better later.
    #[error("{to}: {source}")]
    Http { to: String, source: hyper::Error },
}

trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

// === impl NodeClient ===

impl NodeClient {
    /// Shows `own` to agents, and takes those with a certificate of the authority (PEM) for the address or name
    /// by which they are dialed.
    ///
    /// # Errors
    /// When a certificate or key can't be used.
    pub fn new(own: &CertificateResolver, authority_pem: &str) -> Result<Self, pki::Error> {
        Ok(Self { agents: tls::verified(Some(own), authority_pem)?, pods: tls::unverified(None)? })
    }

    /// The document under a path of a node's agent: within these limits of time, for its head, and of size.
    pub(crate) async fn read_agent(
        &self,
        objects: &Loopback,
        node: &str,
        path: &str,
        (answers_in, limit): (Duration, usize),
    ) -> Result<Bytes, Status> {
        let agent = objects::agent(objects, node).await?;
        let request = headers::request(Method::GET, path, &agent, HeaderMap::new())?;
        let reply = self.send(&agent, request, answers_in).await.map_err(answer::unreachable)?;
        if reply.response.status() != StatusCode::OK {
            return Err(answer::refusal(reply).await);
        }
        reply.read(limit).await.map_err(Status::internal)
    }

    /// Dials, asks, and waits for the head of the answer. The connection may be upgraded.
    pub(crate) async fn send(
        &self,
        backend: &Backend,
        request: ConnectRequest,
        answers_in: Duration,
    ) -> Result<Reply, DialError> {
        let tls = match backend.security {
            Security::Plain => None,
            Security::Agent => Some(&self.agents),
            Security::Unverified => Some(&self.pods),
        };
        let tls = tls.map(|tls| (tls, backend.host.as_str()));
        send(backend, tls, request, answers_in).await
    }
}

/// The same, with TLS to a server of this name if it is given: what the backend says of its security does not count.
pub(crate) async fn send(
    backend: &Backend,
    tls: Option<(&TlsConnector, &str)>,
    request: ConnectRequest,
    answers_in: Duration,
) -> Result<Reply, DialError> {
    let late = |after| move |_| DialError::Deadline { to: backend.authority(), after };
    let http = |source| DialError::Http { to: backend.authority(), source };
    let io = timeout(DIAL, dial(backend, tls)).await.map_err(late(DIAL))??;
    let (mut sender, connection) = http1::handshake(TokioIo::new(io)).await.map_err(http)?;
    let connection = AbortOnDropHandle::new(tokio::spawn(async move {
        if let Err(error) = connection.with_upgrades().await {
            tracing::debug!(%error, "a connection to a backend ended with an error");
        }
    }));
    let answer = timeout(answers_in, sender.send_request(request)).await;
    let response = answer.map_err(late(answers_in))?.map_err(http)?;
    Ok(Reply { response, connection })
}

async fn dial(
    backend: &Backend,
    tls: Option<(&TlsConnector, &str)>,
) -> Result<Box<dyn Io>, DialError> {
    let failed = |source| DialError::Connect { to: backend.authority(), source };
    let stream = TcpStream::connect(&*addresses(backend).await?).await.map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    let Some((tls, name)) = tls else { return Ok(Box::new(stream)) };
    let name =
        ServerName::try_from(name.to_owned()).map_err(|_| DialError::Name(backend.authority()))?;
    Ok(Box::new(tls.connect(name, stream).await.map_err(failed)?))
}

/// The addresses of a backend, of those that may be dialed. There is at least one.
async fn addresses(backend: &Backend) -> Result<Vec<SocketAddr>, DialError> {
    let found = tokio::net::lookup_host((backend.host.as_str(), backend.port)).await;
    let found = found.map_err(|source| DialError::Connect { to: backend.authority(), source })?;
    let allowed: Vec<_> = found.filter(|address| backend.reach.allows(address.ip())).collect();
    if allowed.is_empty() { Err(DialError::NotAllowed) } else { Ok(allowed) }
}

// === impl Reply ===

impl Reply {
    /// For the client, with the body as it comes.
    pub(crate) fn into_response(self) -> Response<Body> {
        let Self { response, connection } = self;
        response.map(|body| {
            if body.is_end_stream() {
                return Body::empty();
            }
            let pieces = body.into_data_stream().map(move |piece| {
                // It is open for as long as somebody reads.
                let _ = &connection;
                piece.map_err(BodyError::from)
            });
            Body::stream(pieces.boxed())
        })
    }

    /// The body, when it is not longer than `limit` and does not take long.
    pub(crate) async fn read(self, limit: usize) -> Result<Bytes, BodyError> {
        let Self { response, connection: _open } = self;
        let body = Limited::new(response.into_body(), limit).collect();
        Ok(timeout(READ, body).await??.to_bytes())
    }

    /// The head of the answer and the connection for other bytes than HTTP's, once it was upgraded.
    pub(crate) fn into_upgrade(self) -> (Response<()>, Upgrading) {
        let Self { mut response, connection } = self;
        let upgrade = hyper::upgrade::on(&mut response);
        (response.map(drop), Upgrading { upgrade, _connection: connection })
    }
}

/// A connection that is being upgraded.
pub(crate) struct Upgrading {
    pub(crate) upgrade: hyper::upgrade::OnUpgrade,
    _connection: AbortOnDropHandle<()>,
}
