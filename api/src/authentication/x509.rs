//! Client certificates: the common name is the user, the organizations are the groups.

use super::{AUTHENTICATED, Authenticator, PeerCertificates, User, unauthorized};
use async_trait::async_trait;
use rustls::pki_types::CertificateDer;
use windlass_core::meta::Status;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Recognizes TLS clients by the certificate that the server has checked.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClientCertificate;

#[async_trait]
impl Authenticator for ClientCertificate {
    async fn authenticate(&self, request: &http::request::Parts) -> Result<Option<User>, Status> {
        let shown = request.extensions.get::<PeerCertificates>();
        let user = shown.and_then(|shown| shown.user.get_or_init(|| read(&shown.chain)).clone());
        user.transpose()
    }
}

fn read(chain: &[CertificateDer<'_>]) -> Option<Result<User, Status>> {
    chain.first().map(|own| user(own))
}

pub(super) fn user(der: &[u8]) -> Result<User, Status> {
    let bad = unauthorized;
    let (_, certificate) = X509Certificate::from_der(der).map_err(|_| bad())?;
    let subject = certificate.subject();
    // The last one, as Go reads a name: whoever checks a request for a certificate must see the same.
    let name = subject.iter_common_name().last().and_then(|cn| cn.as_str().ok()).ok_or_else(bad)?;
    let groups = subject.iter_organization().filter_map(|o| o.as_str().ok());
    let groups = groups.chain([AUTHENTICATED]).map(str::to_owned).collect();
    Ok(User { name: name.to_owned(), groups, ..User::default() })
}
