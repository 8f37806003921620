//! Controllers sign with the cluster's keys.

use jiff::Timestamp;
use serde_json::Value;
use std::sync::Arc;
use windlass_api::authentication::TokenKeys;
use windlass_api::pki::{Authority, Usage};
use windlass_controllers::{CertificateSigner, TokenSigner};
use windlass_core::component::BoxError;

/// Signs what controllers put into Secrets.
pub(crate) struct Signer(pub(crate) Arc<TokenKeys>);

impl TokenSigner for Signer {
    fn sign(&self, claims: &Value) -> Result<String, BoxError> {
        Ok(self.0.sign(claims)?)
    }
}

/// Signs the certificates that CertificateSigningRequests ask for.
pub(crate) struct CertificateAuthority(pub(crate) Arc<Authority>);

impl CertificateSigner for CertificateAuthority {
    fn sign(
        &self,
        request: &str,
        usages: &[String],
        valid: (Timestamp, Timestamp),
    ) -> Result<String, BoxError> {
        let named = |usage: &String| {
            Usage::named(usage).ok_or_else(|| format!("unrecognized usage: {usage}"))
        };
        let usages: Vec<_> = usages.iter().map(named).collect::<Result<_, _>>()?;
        Ok(self.0.sign_request(request, &usages, valid)?)
    }
}
