//! The cluster's own certificate authority, and the certificates and kubeconfigs it gives out.
//!
//! Keys are ECDSA P-256. Files with keys are readable by their owner only.

mod files;
mod kubeconfig;
mod tls;

pub use files::write_private;
pub use kubeconfig::kubeconfig;
pub(crate) use tls::client_verifier;
pub use tls::{client_tls, server_tls};

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
};
use std::path::{Path, PathBuf};
use time::{Duration, OffsetDateTime};

/// How long the authority itself is valid.
const AUTHORITY_DAYS: i64 = 3650;
/// How long what it signs is valid.
const LEAF_DAYS: i64 = 365;

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

    fn from_pem(name: &str, pem: KeyedCertificate) -> Result<Self> {
        let key = KeyPair::from_pem(&pem.key).map_err(|e| invalid(&format!("{name}.key"), &e))?;
        let issuer = Issuer::from_ca_cert_pem(&pem.certificate, key)
            .map_err(|e| invalid(&format!("{name}.crt"), &e))?;
        Ok(Self { certificate: pem.certificate, issuer })
    }

    /// Its certificate, PEM: what others trust.
    #[must_use]
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// A certificate by which a client is `user` in `group`, which may be empty. (One group: `rcgen` keeps one value for
    /// each part of a name.)
    ///
    /// # Errors
    /// When the names can't stand in a certificate.
    pub fn client(&self, user: &str, group: &str, now: Timestamp) -> Result<KeyedCertificate> {
        let mut params = leaf(user, now);
        if !group.is_empty() {
            params.distinguished_name.push(DnType::OrganizationName, group);
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(user, params)
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
    // Clocks of other machines may be behind.
    params.not_before = at(now) - Duration::minutes(5);
    params.not_after = at(now) + Duration::days(LEAF_DAYS);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params
}

fn new_key(what: &str) -> Result<KeyPair> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|e| invalid(what, &e))
}

fn at(time: Timestamp) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(time.as_second()).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

fn invalid(what: &str, reason: &dyn std::fmt::Display) -> Error {
    Error::Invalid { what: what.into(), reason: reason.to_string() }
}

#[cfg(test)]
mod tests;
