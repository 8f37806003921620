//! Client certificates: the common name is the user, the organizations are the groups.

use super::{AUTHENTICATED, Authenticator, PeerCertificates, User, unauthorized};
use async_trait::async_trait;
use std::ops::Range;
use std::sync::Arc;
use windlass_core::clock::Clock;
use windlass_core::meta::Status;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Recognizes TLS clients by the certificate that the server has checked, as long as it holds: a connection may outlive it.
#[derive(Clone)]
pub struct ClientCertificate(Arc<dyn Clock>);

/// Whom a certificate names, and between which seconds since 1970 it holds; the last one counts.
#[derive(Clone, Debug)]
pub(super) struct Holder {
    pub(super) user: User,
    holds: Range<i64>,
}

// === impl ClientCertificate ===

impl ClientCertificate {
    /// Asks `clock` whether a certificate holds.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self(clock)
    }
}

#[async_trait]
impl Authenticator for ClientCertificate {
    async fn authenticate(&self, request: &http::request::Parts) -> Result<Option<User>, Status> {
        let shown = request.extensions.get::<PeerCertificates>();
        let Some(own) = shown.and_then(|shown| Some((shown, shown.chain.first()?))) else {
            return Ok(None);
        };
        let holder = own.0.holder.get_or_init(|| holder(own.1)).clone()?;
        let holds = holder.holds.contains(&self.0.now().as_second());
        match holds {
            // Nobody is called that: his certificate says nothing.
            true => Ok(Some(holder.user).filter(|user| !user.name.is_empty())),
            false => Err(unauthorized()),
        }
    }
}

/// Reads a certificate.
pub(super) fn holder(der: &[u8]) -> Result<Holder, Status> {
    let bad = unauthorized;
    let (_, certificate) = X509Certificate::from_der(der).map_err(|_| bad())?;
    let subject = certificate.subject();
    // The last one, as Go reads a name: whoever checks a request for a certificate must see the same.
    let name = subject.iter_common_name().last();
    let name = name.map_or(Ok(""), |name| name.as_str().map_err(|_| bad()))?;
    let groups = subject.iter_organization().filter_map(|o| o.as_str().ok());
    let groups = groups.chain([AUTHENTICATED]).map(str::to_owned).collect();
    let time = certificate.validity();
    let holds = time.not_before.timestamp()..time.not_after.timestamp() + 1;
    Ok(Holder { user: User { name: name.to_owned(), groups, ..User::default() }, holds })
}

#[cfg(test)]
mod tests;
