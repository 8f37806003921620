//! Who asks.

mod configuration;
mod in_process;
pub mod oidc;
mod openid;
pub(crate) mod request_header;
mod service_account;
pub mod tokens;
mod x509;

pub use configuration::{AuthenticationConfiguration, ConfigurationError};
pub use in_process::InProcess;
pub use request_header::RequestHeader;
pub use service_account::{Bound, Claims, Private, ServiceAccountTokens, TokenKeys, TokenUses};
pub use tokens::BearerTokens;
pub use x509::ClientCertificate;

pub use crate::webhook::ReviewerError;

pub(crate) use openid::OpenId;

use async_trait::async_trait;
use rustls::pki_types::CertificateDer;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use windlass_core::meta::{Reason, Status};

/// Somebody who was recognized.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// The name: `system:admin`, `system:serviceaccount:ns:name`.
    pub name: String,
    /// An id that is never used again, if there is one.
    pub uid: String,
    /// The groups.
    pub groups: Vec<String>,
    /// What else is known.
    pub extra: BTreeMap<String, Vec<String>>,
}

/// Recognizes users by one kind of credentials.
#[async_trait]
pub trait Authenticator: Send + Sync {
    /// Who sent this request; `None` when it has no credentials of this kind. The certificates of a
    /// TLS client are a [`PeerCertificates`] among the extensions.
    ///
    /// # Errors
    /// `Unauthorized` when the credentials are of this kind and wrong.
    async fn authenticate(&self, request: &http::request::Parts) -> Result<Option<User>, Status>;
}

/// Where one may come who shows no credentials: as `system:anonymous`, who may do what roles say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Anonymous {
    /// Everywhere, as in Kubernetes.
    #[default]
    Everywhere,
    /// Nowhere: he is refused.
    Nowhere,
    /// To these very paths: `/livez`, `/readyz`.
    Paths(Vec<String>),
}

/// The certificates a TLS client showed, its own first; they were checked against the server's
/// authorities. An extension of requests.
#[derive(Clone, Debug)]
pub struct PeerCertificates {
    chain: Arc<[CertificateDer<'static>]>,
    /// Who that is, and how long: read by the first request of a connection.
    holder: Arc<OnceLock<Result<x509::Holder, Status>>>,
}

/// The group of all who were recognized.
pub const AUTHENTICATED: &str = "system:authenticated";
/// The group of all who were not.
pub const UNAUTHENTICATED: &str = "system:unauthenticated";
/// The name of all who were not.
pub const ANONYMOUS: &str = "system:anonymous";
/// The group that may do everything.
pub const MASTERS: &str = "system:masters";

// === impl Anonymous ===

impl Anonymous {
    /// Whether one may come to a path.
    #[must_use]
    pub fn allows(&self, path: &str) -> bool {
        match self {
            Self::Everywhere => true,
            Self::Nowhere => false,
            Self::Paths(paths) => paths.iter().any(|one| one == path),
        }
    }
}

impl From<bool> for Anonymous {
    fn from(allowed: bool) -> Self {
        if allowed { Self::Everywhere } else { Self::Nowhere }
    }
}

// === impl PeerCertificates ===

impl PeerCertificates {
    /// What a client showed on one connection.
    #[must_use]
    pub fn new(chain: Arc<[CertificateDer<'static>]>) -> Self {
        Self { chain, holder: Arc::default() }
    }
}

// === impl User ===

impl User {
    /// Somebody of these groups, and of those who were recognized.
    pub fn new<'a>(name: impl Into<String>, groups: impl IntoIterator<Item = &'a str>) -> Self {
        let groups = groups.into_iter().chain([AUTHENTICATED]).map(str::to_owned).collect();
        Self { name: name.into(), groups, ..Self::default() }
    }

    /// Nobody in particular.
    #[must_use]
    pub fn anonymous() -> Self {
        let groups = vec![UNAUTHENTICATED.to_owned()];
        Self { name: ANONYMOUS.into(), groups, ..Self::default() }
    }

    /// One who may do everything: for parts in the server's own process.
    #[must_use]
    pub fn admin() -> Self {
        Self::new("system:admin", [MASTERS])
    }

    /// Whether the user is of a group.
    #[must_use]
    pub fn is_in(&self, group: &str) -> bool {
        self.groups.iter().any(|own| own == group)
    }
}

/// Whoever it is, he is not told why he is not let in.
pub(crate) fn unauthorized() -> Status {
    Status::failure(Reason::Unauthorized, "Unauthorized")
}
