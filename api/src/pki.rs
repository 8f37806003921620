//! The cluster's own certificate authority, and the certificates and kubeconfigs it gives out.
//!
//! Keys are ECDSA P-256. Files with keys are readable by their owner only.

mod files;
mod issue;
mod kubeconfig;
mod request;
mod rotation;
mod tls;
mod usage;

pub use files::write_private;
pub(crate) use kubeconfig::cluster_config;
pub use kubeconfig::kubeconfig;
pub use request::{RequestFor, certificate_request};
pub use rotation::{CertificateResolver, renew_at};
pub(crate) use tls::client_verifier;
pub use tls::{client_tls, server_tls, server_tls_with};
pub use usage::Usage;

use base64::prelude::{BASE64_STANDARD, Engine};
use issue::Subject;
use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData,
};
use std::path::{Path, PathBuf};
use time::{Duration, OffsetDateTime};
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::{FromDer, X509Certificate};

/// How long the authority itself is valid.
const AUTHORITY_DAYS: i64 = 3650;
/// How long what it signs is valid.
const LEAF_DAYS: i64 = 365;
/// How long before it was made it is valid: clocks of other machines may be behind.
const BACKDATE: Duration = Duration::minutes(5);

/// Why a certificate could not be read or made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file can't be read or written. Mend the cause, then retry.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A certificate or key is none. Retrying does not help.
    #[error("{what}: {reason}")]
    Invalid {
        /// What was read or made.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// Result of the functions of this module.
pub type Result<T> = std::result::Result<T, Error>;

/// A certificate with its key, both PEM. `Debug` does not show the key.
#[derive(Clone)]
pub struct KeyedCertificate {
    /// The certificate.
    pub certificate: String,
    /// Its private key (PKCS #8).
    pub key: String,
}

/// A certificate authority.
pub struct Authority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
    /// Its name, DER.
    name: Vec<u8>,
    key_id: Option<Vec<u8>>,
    until: OffsetDateTime,
}

// === impl Authority ===

impl Authority {
    /// The authority kept in `dir` as `NAME.crt` and `NAME.key`; made when there is none.
    ///
    /// # Errors
    /// When the files can't be read or written, or hold something else.
    pub fn open(dir: &Path, name: &str, now: Timestamp) -> Result<Self> {
        let (crt, key) = (dir.join(format!("{name}.crt")), dir.join(format!("{name}.key")));
        if !crt.exists() && !key.exists() {
            let new = new_authority(name, now)?;
            // The key first: a certificate without its key would look whole.
            write_private(&key, new.key.as_bytes())?;
            write_private(&crt, new.certificate.as_bytes())?;
        }
        let read = |path: &Path| {
            std::fs::read_to_string(path).map_err(|source| Error::Io { path: path.into(), source })
        };
        Self::from_pem(name, KeyedCertificate { certificate: read(&crt)?, key: read(&key)? })
    }

    /// A new authority that is kept nowhere.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn ephemeral(name: &str, now: Timestamp) -> Result<Self> {
        Self::from_pem(name, new_authority(name, now)?)
    }

    /// An authority with this certificate and key; `name` stands in errors.
    ///
    /// # Errors
    /// When they are none.
    pub fn from_pem(name: &str, pem: KeyedCertificate) -> Result<Self> {
        let key = KeyPair::from_pem(&pem.key).map_err(|e| invalid(&format!("{name}.key"), &e))?;
        let issuer = Issuer::from_ca_cert_pem(&pem.certificate, key)
            .map_err(|e| invalid(&format!("{name}.crt"), &e))?;
        let der = one_certificate(&pem.certificate)?;
        let (_, own) = X509Certificate::from_der(&der).map_err(|e| invalid(name, &e))?;
        let key_id = own.iter_extensions().find_map(|one| match one.parsed_extension() {
            ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0.to_vec()),
            _ => None,
        });
        let (name, until) = (own.subject().as_raw().to_vec(), own.validity().not_after);
        let until = until.to_datetime();
        Ok(Self { certificate: pem.certificate, issuer, name, key_id, until })
    }

    /// Its certificate, PEM: what others trust.
    #[must_use]
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// A certificate by which a client is `user` in all of these groups, for a year.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn client(&self, user: &str, groups: &[&str], now: Timestamp) -> Result<KeyedCertificate> {
        let year = SignedDuration::from_hours(24 * LEAF_DAYS);
        self.client_until(user, groups, (now, now + year))
    }

    /// The same until a time of one's own, though not beyond the end of the authority.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn client_until(
        &self,
        user: &str,
        groups: &[&str],
        (now, until): (Timestamp, Timestamp),
    ) -> Result<KeyedCertificate> {
        let key = new_key(user)?;
        let certificate = self.issue(&Subject {
            name: &issue::user_name(user, groups),
            key: &key.subject_public_key_info(),
            alternative_names: None,
            usages: &Usage::of_clients(),
            from: at(now) - BACKDATE,
            until: at(until),
        })?;
        Ok(KeyedCertificate { certificate, key: key.serialize_pem() })
    }

    /// A certificate for a server that answers to these host names and addresses. It serves as a client's too.
    ///
    /// # Errors
    /// When a name can't stand in a certificate.
    pub fn server(&self, name: &str, hosts: &[String], now: Timestamp) -> Result<KeyedCertificate> {
        let names = CertificateParams::new(hosts).map_err(|e| invalid(name, &e))?.subject_alt_names;
        let mut params = leaf(name, now);
        params.subject_alt_names = names;
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(name, params)
    }

    fn sign(&self, what: &str, params: CertificateParams) -> Result<KeyedCertificate> {
        let key = new_key(what)?;
        let signed = params.signed_by(&key, &self.issuer).map_err(|e| invalid(what, &e))?;
        Ok(KeyedCertificate { certificate: signed.pem(), key: key.serialize_pem() })
    }
}

impl std::fmt::Debug for KeyedCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyedCertificate")
            .field("certificate", &self.certificate)
            .finish_non_exhaustive()
    }
}

/// The key pair that signs service account tokens, private and public half in PEM. Kept in `dir` as `sa.key`, made
/// when it is not there; in memory only without a folder.
///
/// # Errors
/// When the file can't be read or written, or holds something else.
pub fn token_key(dir: Option<&Path>) -> Result<(String, String)> {
    let path = dir.map(|dir| dir.join("sa.key"));
    let pair = match path.as_deref().filter(|path| path.exists()) {
        Some(path) => {
            let pem = std::fs::read_to_string(path);
            let pem = pem.map_err(|source| Error::Io { path: path.into(), source })?;
            KeyPair::from_pem(&pem).map_err(|e| invalid("sa.key", &e))?
        }
        None => new_key("sa.key")?,
    };
    let private = pair.serialize_pem();
    if let Some(path) = path.filter(|path| !path.exists()) {
        write_private(&path, private.as_bytes())?;
    }
    Ok((private, pair.public_key_pem()))
}

/// The public half of a key (PEM, both), as [`crate::authentication::TokenKeys`] wants it.
///
/// # Errors
/// When it is no key.
pub fn public_half(private: &str) -> Result<String> {
    let pair = KeyPair::from_pem(private).map_err(|e| invalid("private key", &e))?;
    Ok(pair.public_key_pem())
}

fn new_authority(name: &str, now: Timestamp) -> Result<KeyedCertificate> {
    let mut params = leaf(name, now);
    params.not_after = at(now) + Duration::days(AUTHORITY_DAYS);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::CrlSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    let key = new_key(name)?;
    let own = params.self_signed(&key).map_err(|e| invalid(name, &e))?;
    Ok(KeyedCertificate { certificate: own.pem(), key: key.serialize_pem() })
}

fn leaf(name: &str, now: Timestamp) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = at(now) - BACKDATE;
    params.not_after = at(now) + Duration::days(LEAF_DAYS);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params
}

fn new_key(what: &str) -> Result<KeyPair> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|e| invalid(what, &e))
}

/// The first certificate of a PEM file, DER.
fn one_certificate(pem: &str) -> Result<Vec<u8>> {
    let parsed = x509_parser::pem::parse_x509_pem(pem.as_bytes());
    parsed.map(|(_, pem)| pem.contents).map_err(|error| invalid("certificate", &error))
}

/// DER as PEM (RFC 7468).
fn pem(label: &str, der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    for line in text.as_bytes().chunks(64) {
        pem.push_str(&String::from_utf8_lossy(line));
        pem.push('\n');
    }
    pem + &format!("-----END {label}-----\n")
}

fn at(time: Timestamp) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(time.as_second()).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

fn invalid(what: &str, reason: &dyn std::fmt::Display) -> Error {
    Error::Invalid { what: what.into(), reason: reason.to_string() }
}

#[cfg(test)]
mod tests;
