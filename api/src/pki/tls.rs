//! TLS for servers of the cluster, and for those who call others.

use super::{CertificateResolver, KeyedCertificate, Result, invalid};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::sync::Arc;

/// A server's TLS (1.2 and 1.3, HTTP/2 and HTTP/1.1): shows `own`, and takes clients with a certificate of `authority`
/// (PEM, one or several). With `required` it takes no others; else they stay anonymous.
///
/// # Errors
/// When a certificate or key can't be used.
pub fn server_tls(own: &KeyedCertificate, authority: &str, required: bool) -> Result<ServerConfig> {
    server_tls_with(&CertificateResolver::new(own)?, authority, required)
}

/// The same with a certificate that can be replaced while the server runs.
///
/// # Errors
/// When an authority can't be used.
pub fn server_tls_with(
    own: &CertificateResolver,
    authority: &str,
    required: bool,
) -> Result<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| invalid("TLS configuration", &error))?
        .with_client_cert_verifier(client_verifier(authority, required)?)
        .with_cert_resolver(own.for_servers());
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// Checks the certificates of clients. `required`: those who show none are refused.
pub(crate) fn client_verifier(
    authority: &str,
    required: bool,
) -> Result<Arc<dyn ClientCertVerifier>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let clients = roots(authority)?.into();
    let clients = WebPkiClientVerifier::builder_with_provider(clients, provider);
    let clients = if required { clients } else { clients.allow_unauthenticated() };
    clients.build().map_err(|error| invalid("TLS configuration", &error))
}

/// TLS of a client that shows no certificate, and takes servers with a certificate of `authority` (PEM, one or
/// several). It speaks HTTP/1.1.
///
/// # Errors
/// When there is no certificate in it, or one that can't be used.
pub fn client_tls(authority: &str) -> Result<ClientConfig> {
    let roots = roots(authority)?;
    if roots.is_empty() {
        return Err(invalid("certificate authority", &"it holds no certificate"));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| invalid("TLS configuration", &error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn roots(authority: &str) -> Result<RootCertStore> {
    let bad = |error: &dyn std::fmt::Display| invalid("certificate authority", error);
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(authority.as_bytes()) {
        roots.add(certificate.map_err(|e| bad(&e))?).map_err(|e| bad(&e))?;
    }
    Ok(roots)
}
