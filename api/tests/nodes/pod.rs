//! What runs in a pod: a server that tells what it was asked.

use crate::{Answer, agent, text};
use http::Request;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use serde_json::{Map, json};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use windlass_api::pki::{Authority, server_tls};

pub(crate) struct PodServer {
    pub(crate) address: SocketAddr,
    running: JoinHandle<()>,
}

impl PodServer {
    pub(crate) async fn start() -> Self {
        Self::serve(None).await
    }

    /// With TLS, and a certificate that nobody knows.
    pub(crate) async fn start_tls() -> Self {
        let stranger = Authority::ephemeral("stranger", Timestamp::now()).expect("an authority");
        let hosts = ["other.example".to_owned()];
        let own = stranger.server("other", &hosts, Timestamp::now()).expect("signed");
        let tls = server_tls(&own, stranger.certificate(), false).expect("TLS");
        Self::serve(Some(TlsAcceptor::from(Arc::new(tls)))).await
    }

    async fn serve(tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let accept = async move {
            while let Ok((stream, _)) = listener.accept().await {
                match &tls {
                    None => drop(tokio::spawn(talk(stream))),
                    Some(tls) => {
                        let stream = tls.accept(stream);
                        tokio::spawn(async { talk(stream.await?).await });
                    }
                }
            }
        };
        Self { address, running: tokio::spawn(accept) }
    }

    /// Closes the port.
    pub(crate) async fn stop(mut self) {
        self.running.abort();
        assert!((&mut self.running).await.is_err(), "it never ends by itself");
    }
}

impl Drop for PodServer {
    fn drop(&mut self) {
        self.running.abort();
    }
}

async fn talk(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let service = service_fn(|request| async { Ok::<_, Infallible>(answer(request).await) });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    Ok(connection.with_upgrades().await?)
}

async fn answer(request: Request<Incoming>) -> Answer {
    match request.uri().path() {
        "/echo" => agent::echo(request),
        "/moved" => {
            let mut response = text(302, "");
            response.headers_mut().insert("location", "/to?a=b".parse().expect("a value"));
            response
        }
        _ => {
            let (head, body) = request.into_parts();
            let body = body.collect().await.expect("it is whole").to_bytes();
            let headers: Map<_, _> = head
                .headers
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_str().expect("text").into()))
                .collect();
            let told = json!({
                "method": head.method.as_str(),
                "uri": head.uri.to_string(),
                "headers": headers,
                "body": String::from_utf8_lossy(&body),
            });
            let mut response = text(418, told.to_string());
            let headers = response.headers_mut();
            headers.insert("x-own", "kept".parse().expect("a value"));
            headers.insert("access-control-allow-origin", "*".parse().expect("a value"));
            response
        }
    }
}
