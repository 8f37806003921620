//! One webhook, with the connection to it kept open.

use super::target::{ClientConfig, Target};
use crate::pki::client_tls;
use crate::registry::Loopback;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HOST};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use rustls::CertificateError;
use rustls::pki_types::ServerName;
use std::io::Error;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use windlass_core::component::BoxError;

/// Longer answers are not read.
const MAX_ANSWER: usize = 64 << 20;
/// How much of an answer that is an error is shown.
const SHOWN: usize = 512;
/// Where systems keep the authorities they trust.
const AUTHORITIES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// How many idle connections to a webhook are kept.
const MAX_IDLE: usize = 32;

/// Calls one webhook. May be used from many tasks; connections are kept and used again.
pub(crate) struct Webhook {
    config: ClientConfig,
    objects: Loopback,
    tls: tokio::sync::OnceCell<TlsConnector>,
    idle: Mutex<Vec<(Target, Sender)>>,
}

/// Why a webhook gave no answer. All but the first may be better later.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WebhookError {
    /// It is described in a way that leads nowhere.
    #[error("{0}")]
    Config(String),
    /// Its Service can't be called.
    #[error("{0}")]
    Service(String),
    /// It can't be reached, or is not who it should be.
    #[error("Post \"{url}\": {source}")]
    Connect { url: String, source: Error },
    /// It says nothing.
    #[error("Post \"{url}\": context deadline exceeded")]
    Deadline { url: String },
    /// What it says is no HTTP, or too long.
    #[error("Post \"{url}\": {source}")]
    Http { url: String, source: BoxError },
    /// It answers with an error.
    #[error("the webhook at \"{url}\" answered {code}: {text:?}")]
    Refused { url: String, code: StatusCode, text: String },
}

type Sender = SendRequest<Full<Bytes>>;

// === impl Webhook ===

impl Webhook {
    /// Finds Services among a server's own objects.
    pub(crate) fn new(config: ClientConfig, objects: Loopback) -> Self {
        let (tls, idle) = (tokio::sync::OnceCell::new(), Mutex::default());
        Self { config, objects, tls, idle }
    }

    /// Posts a review and returns the answer, if it comes in time.
    pub(crate) async fn call(&self, body: Bytes, within: Duration) -> Result<Bytes, WebhookError> {
        let target = self.config.target(&self.objects).await.map_err(|error| match error {
            // Who calls a Service wants to know where to.
            WebhookError::Service(why) => WebhookError::Http {
                url: format!("{}?timeout={}s", self.config.shown(), within.as_secs()),
                source: why.into(),
            },
            other => other,
        })?;
        let late = || WebhookError::Deadline { url: shown(&target, within) };
        timeout(within, self.post(&target, body, within)).await.map_err(|_| late())?
    }

    async fn post(
        &self,
        target: &Target,
        body: Bytes,
        within: Duration,
    ) -> Result<Bytes, WebhookError> {
        let url = || shown(target, within);
        let http = |source: BoxError| WebhookError::Http { url: url(), source };
        let idle = self.idle_to(target);
        let again = body.clone();
        let first = match idle {
            // The other side may have closed it just now: then it was not read.
            Some(sender) => exchange(sender, target, body, within).await.ok(),
            None => None,
        };
        let (sender, status, read) = match first {
            Some(answer) => answer,
            None => {
                let sender = self.dial(target, within).await?;
                exchange(sender, target, again, within).await.map_err(http)?
            }
        };
        self.keep(target, sender);
        if status.is_success() {
            return Ok(read);
        }
        let text = String::from_utf8_lossy(&read[..read.len().min(SHOWN)]).into_owned();
        Err(WebhookError::Refused { url: url(), code: status, text })
    }

    /// A connection that is kept; those that lead elsewhere by now, or nowhere, are dropped.
    fn idle_to(&self, target: &Target) -> Option<Sender> {
        let mut idle = self.idle.lock();
        idle.retain(|(to, sender)| to == target && !sender.is_closed());
        idle.pop().map(|(_, sender)| sender)
    }

    fn keep(&self, target: &Target, sender: Sender) {
        let mut idle = self.idle.lock();
        if idle.len() < MAX_IDLE {
            idle.push((target.clone(), sender));
        }
    }

    async fn dial(&self, target: &Target, within: Duration) -> Result<Sender, WebhookError> {
        let failed = |source| WebhookError::Connect { url: shown(target, within), source };
        let tls = self.tls.get_or_try_init(|| self.tls()).await?;
        let stream = TcpStream::connect((target.host.as_str(), target.port)).await;
        let stream = stream.map_err(|error| failed(not_reached(target, &error)))?;
        stream.set_nodelay(true).map_err(failed)?;
        let name = ServerName::try_from(target.name.clone())
            .map_err(|error| WebhookError::Config(error.to_string()))?;
        let stream =
            tls.connect(name, stream).await.map_err(|error| failed(not_trusted(target, error)))?;
        let handshake = http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) = handshake.map_err(|error| WebhookError::Http {
            url: shown(target, within),
            source: error.into(),
        })?;
        // Ends when the sender is dropped or the other side closes.
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to a webhook ended with an error");
            }
        });
        Ok(sender)
    }

    async fn tls(&self) -> Result<TlsConnector, WebhookError> {
        let bad = |error: &dyn std::fmt::Display| WebhookError::Config(error.to_string());
        let pem = match self.config.ca_bundle.as_deref().filter(|bundle| !bundle.is_empty()) {
            Some(bundle) => {
                let pem = STANDARD.decode(bundle).map_err(|error| bad(&error))?;
                String::from_utf8(pem).map_err(|error| bad(&error))?
            }
            None => system_authorities().await?,
        };
        let config = client_tls(&pem).map_err(|error| bad(&error))?;
        Ok(TlsConnector::from(Arc::new(config)))
    }
}

/// One request and its answer, which is read whole.
async fn exchange(
    mut sender: Sender,
    target: &Target,
    body: Bytes,
    within: Duration,
) -> Result<(Sender, StatusCode, Bytes), BoxError> {
    let path = target.url.path();
    let request = Request::post(format!("{path}?timeout={}s", within.as_secs()))
        .header(HOST, format!("{}:{}", target.name, target.port))
        .header(CONTENT_TYPE, "application/json")
        .header(ACCEPT, "application/json")
        .body(Full::new(body))?;
    sender.ready().await?;
    let (head, body) = sender.send_request(request).await?.into_parts();
    let read = Limited::new(body, MAX_ANSWER).collect().await?.to_bytes();
    Ok((sender, head.status, read))
}

/// Why nobody is there, in the words of Kubernetes' client.
fn not_reached(target: &Target, error: &Error) -> Error {
    let (host, port) = (&target.host, target.port);
    let text = error.to_string();
    let why = text.split_once(" (os error").map_or(text.as_str(), |(why, _)| why).to_lowercase();
    Error::new(error.kind(), format!("dial tcp {host}:{port}: connect: {why}"))
}

/// Why the one who is there is not the one who is meant.
fn not_trusted(target: &Target, error: Error) -> Error {
    let name = &target.name;
    let found = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let why = match found {
        Some(rustls::Error::InvalidCertificate(why)) => match why {
            CertificateError::UnknownIssuer => "certificate signed by unknown authority".to_owned(),
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                format!("certificate is not valid for any names, but wanted to match {name}")
            }
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => {
                "certificate has expired or is not yet valid".to_owned()
            }
            other => format!("{other:?}"),
        },
        _ => return error,
    };
    Error::new(error.kind(), format!("tls: failed to verify certificate: x509: {why}"))
}

/// The authorities that the system trusts, PEM.
pub(crate) async fn system_authorities() -> Result<String, WebhookError> {
    for path in AUTHORITIES {
        match tokio::fs::read_to_string(path).await {
            Ok(pem) => return Ok(pem),
            Err(error) => tracing::debug!(%error, path, "no authorities here"),
        }
    }
    Err(WebhookError::Config("there is no caBundle, and the system has no authorities".into()))
}

/// The URL as errors show it.
fn shown(target: &Target, within: Duration) -> String {
    format!("{}?timeout={}s", target.url, within.as_secs())
}
