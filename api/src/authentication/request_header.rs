//! A proxy in front of the server says who asks (API aggregation, `--requestheader-*` of kube-apiserver).

use super::{Authenticator, PeerCertificates, User, unauthorized, x509};
use crate::pki;
use async_trait::async_trait;
use http::HeaderMap;
use percent_encoding::percent_decode_str;
use rustls::pki_types::UnixTime;
use rustls::server::danger::ClientCertVerifier;
use std::sync::Arc;
use std::time::Duration;
use windlass_core::clock::Clock;
use windlass_core::meta::Status;

pub(crate) const USER: &str = "x-remote-user";
pub(crate) const UID: &str = "x-remote-uid";
pub(crate) const GROUP: &str = "x-remote-group";
pub(crate) const EXTRA: &str = "x-remote-extra-";

/// Takes the word of a front proxy for who asks: `X-Remote-User`, `-Group`, `-Uid` and `-Extra-*`.
///
/// The proxy shows a certificate of an authority that signs for such proxies and for nobody else: one who shows such a
/// certificate and names no user, or is none of the allowed names, is refused. The server's TLS has to ask for
/// certificates of this authority too (see [`pki::server_tls`]), and this authenticator has to come before
/// [`super::ClientCertificate`], which takes any certificate that TLS took.
pub struct RequestHeader {
    proxies: Arc<dyn ClientCertVerifier>,
    allowed: Vec<String>,
    clock: Arc<dyn Clock>,
}

// === impl RequestHeader ===

impl RequestHeader {
    /// Proxies with a certificate of this authority (PEM), of one of these common names; of any when there are none.
    ///
    /// # Errors
    /// When the authority can't be read.
    pub fn new(
        authority: &str,
        allowed_names: impl IntoIterator<Item = String>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, pki::Error> {
        let proxies = pki::client_verifier(authority, true)?;
        Ok(Self { proxies, allowed: allowed_names.into_iter().collect(), clock })
    }

    /// Whether the certificate is of the authority of proxies.
    fn is_proxy(&self, shown: &PeerCertificates) -> bool {
        let Some((own, between)) = shown.chain.split_first() else { return false };
        let seconds = self.clock.now().as_second().try_into().unwrap_or_default();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        self.proxies.verify_client_cert(own, between, now).is_ok()
    }
}

#[async_trait]
impl Authenticator for RequestHeader {
    async fn authenticate(&self, request: &http::request::Parts) -> Result<Option<User>, Status> {
        let Some(shown) = request.extensions.get::<PeerCertificates>() else { return Ok(None) };
        if !self.is_proxy(shown) {
            return Ok(None);
        }
        let proxy = x509::holder(&shown.chain[0])?.user;
        let allowed = self.allowed.is_empty() || self.allowed.contains(&proxy.name);
        let named = user(&request.headers).filter(|_| allowed);
        named.map(Some).ok_or_else(unauthorized)
    }
}

/// Who is named in the headers.
fn user(headers: &HeaderMap) -> Option<User> {
    let text = |value: &http::HeaderValue| String::from_utf8(value.as_bytes().to_vec()).ok();
    let name = headers.get(USER).and_then(text).filter(|name| !name.is_empty())?;
    let uid = headers.get(UID).and_then(text).unwrap_or_default();
    let groups = headers.get_all(GROUP).iter().map(text).collect::<Option<_>>()?;
    let mut user = User { name, uid, groups, ..User::default() };
    for (header, value) in headers {
        let Some(key) = header.as_str().strip_prefix(EXTRA) else { continue };
        let key = percent_decode_str(key).decode_utf8_lossy().to_lowercase();
        user.extra.entry(key).or_default().push(text(value)?);
    }
    Some(user)
}

#[cfg(test)]
mod tests;
