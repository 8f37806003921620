//! Accepts connections.

use super::answers::Refusal;
use super::{Server, ServerTls};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use windlass_core::component::Shutdown;
use x509_parser::prelude::{FromDer, X509Certificate};

/// So many connections at once; more wait.
const CONNECTIONS: usize = 1024;
/// A client has so long to shake hands, and to send its request's head.
const PATIENCE: Duration = Duration::from_secs(10);
/// After a failure to accept (no more files, say).
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

impl Server {
    /// Serves until shutdown.
    pub(crate) async fn run(self, listener: TcpListener, shutdown: Shutdown) {
        let server = Arc::new(self);
        let permits = Arc::new(Semaphore::new(CONNECTIONS));
        let accept = async {
            loop {
                let Ok(permit) = permits.clone().acquire_owned().await else { return };
                match listener.accept().await {
                    Ok((stream, _)) => {
                        let (server, shutdown) = (server.clone(), shutdown.clone());
                        tokio::spawn(async move {
                            shutdown.run_until_cancelled(server.connection(stream)).await;
                            drop(permit);
                        });
                    }
                    Err(error) => {
                        tracing::warn!(%error, "can't accept a connection");
                        tokio::time::sleep(ACCEPT_RETRY).await;
                    }
                }
            }
        };
        shutdown.run_until_cancelled(accept).await;
    }

    async fn connection(self: Arc<Self>, stream: TcpStream) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "can't set a connection's options");
        }
        let Some(tls) = &self.tls else {
            return self.serve(stream, true).await;
        };
        let accept = TlsAcceptor::from(tls.config.clone()).accept(stream);
        match tokio::time::timeout(PATIENCE, accept).await {
            Ok(Ok(stream)) => {
                let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
                let allowed = shown.is_some_and(|certificate| tls.lets_in(certificate));
                self.serve(stream, allowed).await;
            }
            Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
            Err(_) => tracing::debug!("TLS handshake took too long"),
        }
    }

    async fn serve(
        self: Arc<Self>,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        allowed: bool,
    ) {
        let service = service_fn(move |request| {
            let server = self.clone();
            async move {
                Ok::<_, Infallible>(match allowed {
                    true => server.answer(request).await,
                    false => Refusal::forbidden("Forbidden").response(),
                })
            }
        });
        let served = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(PATIENCE)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades()
            .await;
        if let Err(error) = served {
            tracing::debug!(%error, "connection broke off");
        }
    }
}

// === impl ServerTls ===

impl ServerTls {
    /// Whether a certificate, which was verified, is that of a client.
    fn lets_in(&self, certificate: &[u8]) -> bool {
        let Ok((_, parsed)) = X509Certificate::from_der(certificate) else { return false };
        let subject = parsed.subject();
        let name = subject.iter_common_name().last().and_then(|name| name.as_str().ok());
        let mut organizations = subject.iter_organization().filter_map(|one| one.as_str().ok());
        name.is_some_and(|name| self.clients.iter().any(|client| client == name))
            && organizations.any(|one| one == self.organization)
    }
}

#[cfg(test)]
mod tests;
