//! Certificate requests (PKCS #10), as the signers of `certificates.k8s.io` sign them.

use super::issue::{Subject, certificate};
use super::{Authority, KeyPair, Result, Usage, at, invalid, issue};
use jiff::Timestamp;
use rcgen::{CertificateParams, SanType};
use std::net::IpAddr;
use windlass_core::certificates::CertificateRequest;

// === impl Authority ===

impl Authority {
    /// Signs a certificate request (PEM): its subject, its key and its other names are taken as they are, and `usages`
    /// are what the key may be used for. Not beyond the end of the authority itself.
    ///
    /// # Errors
    /// When it is no request, or is not signed with the key it asks a certificate for.
    pub fn sign_request(
        &self,
        request: &str,
        usages: &[Usage],
        (from, until): (Timestamp, Timestamp),
    ) -> Result<String> {
        let bad = |why| invalid("certificate request", &why);
        let asked = CertificateRequest::parse(request).map_err(bad)?;
        asked.verify_signature().map_err(bad)?;
        self.issue(&Subject {
            name: &asked.subject,
            key: &asked.key,
            alternative_names: asked.alternative_names.as_deref(),
            usages,
            from: at(from),
            until: at(until),
        })
    }

    pub(super) fn issue(&self, subject: &Subject<'_>) -> Result<String> {
        let until = subject.until.min(self.until);
        let subject = Subject { until, ..*subject };
        let signer = issue::Signer {
            name: &self.name,
            key_id: self.key_id.as_deref(),
            key: self.issuer.key(),
        };
        Ok(super::pem("CERTIFICATE", &certificate(&subject, &signer)?))
    }
}

/// What somebody asks a certificate for: a subject with groups, and what it answers to.
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestFor<'a> {
    /// The common name.
    pub user: &'a str,
    /// The organization.
    pub group: &'a str,
    /// Host names.
    pub names: &'a [String],
    /// Addresses.
    pub addresses: &'a [IpAddr],
}

/// A new key (PKCS #8, PEM) and a request (PEM) signed with it.
///
/// # Errors
/// When a name can't stand in a certificate, or the system gives no random numbers.
pub fn certificate_request(wanted: RequestFor<'_>) -> Result<(String, String)> {
    let key = super::new_key(wanted.user)?;
    let request = request_with(&key, wanted)?;
    Ok((key.serialize_pem(), request))
}

fn request_with(key: &KeyPair, wanted: RequestFor<'_>) -> Result<String> {
    let bad = |error: rcgen::Error| invalid(wanted.user, &error);
    let mut params = CertificateParams::new(wanted.names).map_err(bad)?;
    let addresses = wanted.addresses.iter().copied().map(SanType::IpAddress);
    params.subject_alt_names.extend(addresses);
    params.distinguished_name = rcgen::DistinguishedName::new();
    if !wanted.group.is_empty() {
        params.distinguished_name.push(rcgen::DnType::OrganizationName, wanted.group);
    }
    params.distinguished_name.push(rcgen::DnType::CommonName, wanted.user);
    params.serialize_request(key).map_err(bad)?.pem().map_err(bad)
}
