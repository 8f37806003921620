//! Asks over HTTP or HTTPS.

use super::{Outcome, Patient, dial, host, join, port};
use bytes::Bytes;
use http_body_util::Empty;
use hyper::Request;
use hyper_util::rt::TokioIo;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use windlass_core::apis::core::v1::HTTPGetAction;

pub(super) async fn run(action: &HTTPGetAction, patient: &Patient) -> Outcome {
    let url = url(action, patient)?;
    let context = |error: &dyn std::fmt::Display| format!("Get \"{url}\": {error}");
    let name = host(action.host.as_ref(), patient)?;
    let address = join(&name, port(&action.port, &patient.container)?);
    let stream = dial(&address).await.map_err(|e| context(&e))?;
    let request = request(action, &address).map_err(|e| context(&e))?;
    let status = if is_https(action) {
        let server = ServerName::try_from(name).map_err(|e| context(&e))?;
        let config = tls_config().map_err(|e| context(&e))?;
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let stream = connector.connect(server, stream).await.map_err(|e| context(&e))?;
        send(stream, request).await
    } else {
        send(stream, request).await
    };
    match status.map_err(|e| context(&e))? {
        200..400 => Ok(()),
        code => Err(format!("HTTP probe failed with statuscode: {code}")),
    }
}

pub(super) fn url(action: &HTTPGetAction, patient: &Patient) -> Result<String, String> {
    let scheme = if is_https(action) { "https" } else { "http" };
    let port = port(&action.port, &patient.container)?;
    let address = join(&host(action.host.as_ref(), patient)?, port);
    Ok(format!("{scheme}://{address}{}", path(action)))
}

fn path(action: &HTTPGetAction) -> String {
    let path = action.path.as_deref().unwrap_or("/");
    if path.starts_with('/') { path.to_owned() } else { format!("/{path}") }
}

fn is_https(action: &HTTPGetAction) -> bool {
    action.scheme.as_deref() == Some("HTTPS")
}

fn request(action: &HTTPGetAction, address: &str) -> Result<Request<Empty<Bytes>>, http::Error> {
    let own = action.http_headers.iter().flatten();
    let mut request = Request::get(path(action));
    for header in own.clone() {
        request = request.header(header.name.as_str(), header.value.as_str());
    }
    let given = |name: &str| own.clone().any(|h| h.name.eq_ignore_ascii_case(name));
    if !given("host") {
        request = request.header("Host", address);
    }
    if !given("user-agent") {
        request = request.header("User-Agent", "kube-probe/1.36");
    }
    if !given("accept") {
        request = request.header("Accept", "*/*");
    }
    request.header("Connection", "close").body(Empty::new())
}

async fn send(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    request: Request<Empty<Bytes>>,
) -> Result<u16, hyper::Error> {
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let answer = sender.send_request(request);
    tokio::pin!(connection, answer);
    // The connection only moves while it is polled; it must not end before the answer is there.
    let response = tokio::select! {
        response = &mut answer => response?,
        ended = &mut connection => { ended?; answer.await? }
    };
    Ok(response.status().as_u16())
}

/// Probes do not verify certificates, as Kubernetes does not: they ask whether something answers.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

fn tls_config() -> Result<rustls::ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Arc::new(AnyCertificate(provider.clone()));
    Ok(rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth())
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
