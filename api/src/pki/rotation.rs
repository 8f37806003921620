//! Certificates that are replaced while they are in use.

use super::{KeyedCertificate, Result, invalid, one_certificate};
use jiff::{SignedDuration, Timestamp};
use parking_lot::RwLock;
use rustls::client::ResolvesClientCert;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::sync::Arc;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Of a certificate's time, this part passes before it is replaced: four fifths.
const RENEWED_AFTER: (i64, i64) = (4, 5);

/// The certificate that a server or a client shows. It can be replaced at any time, from any task: who connects from then
/// on sees the new one, and connections that are open stay. Clones are the same.
#[derive(Clone, Debug)]
pub struct CertificateResolver(Arc<Shown>);

#[derive(Debug)]
struct Shown(RwLock<Arc<CertifiedKey>>);

// === impl CertificateResolver ===

impl CertificateResolver {
    /// Shows this one.
    ///
    /// # Errors
    /// When the certificate or its key can't be used, or are not of each other.
    pub fn new(own: &KeyedCertificate) -> Result<Self> {
        Ok(Self(Arc::new(Shown(RwLock::new(certified(own)?)))))
    }

    /// Shows another one from now on.
    ///
    /// # Errors
    /// When it can't be used; then the one before stays.
    pub fn replace(&self, own: &KeyedCertificate) -> Result<()> {
        *self.0.0.write() = certified(own)?;
        Ok(())
    }

    pub(super) fn for_servers(&self) -> Arc<dyn ResolvesServerCert> {
        self.0.clone()
    }

    /// For the TLS configuration of a client (`rustls::ClientConfig::client_auth_cert_resolver`).
    #[must_use]
    pub fn for_clients(&self) -> Arc<dyn ResolvesClientCert> {
        self.0.clone()
    }
}

// === impl Shown ===

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.read().clone())
    }
}

impl ResolvesClientCert for Shown {
    fn resolve(&self, _: &[&[u8]], _: &[rustls::SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.0.read().clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// When a certificate (PEM) is to be replaced: before its end, with time left to try again.
///
/// # Errors
/// When it is no certificate.
pub fn renew_at(certificate: &str) -> Result<Timestamp> {
    let der = one_certificate(certificate)?;
    let (_, own) = X509Certificate::from_der(&der).map_err(|e| invalid("certificate", &e))?;
    let time = own.validity();
    let (from, until) = (time.not_before.timestamp(), time.not_after.timestamp());
    let (part, whole) = RENEWED_AFTER;
    let from_start = SignedDuration::from_secs((until - from) / whole * part);
    let from = Timestamp::from_second(from).map_err(|e| invalid("certificate", &e))?;
    from.checked_add(from_start).map_err(|e| invalid("certificate", &e))
}

fn certified(own: &KeyedCertificate) -> Result<Arc<CertifiedKey>> {
    let bad = |error: &dyn std::fmt::Display| invalid("certificate", error);
    let chain: std::result::Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(own.certificate.as_bytes()).collect();
    let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).map_err(|e| bad(&e))?;
    let provider = rustls::crypto::ring::default_provider();
    let chain = chain.map_err(|e| bad(&e))?;
    if chain.is_empty() {
        return Err(bad(&"there is none"));
    }
    Ok(Arc::new(CertifiedKey::from_der(chain, key, &provider).map_err(|e| bad(&e))?))
}
