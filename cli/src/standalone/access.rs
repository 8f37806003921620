//! Who is let in, and who decides: put together for the API server.

use super::control_plane::Deciders;
use super::identity::{FRONT_PROXY, ISSUER, Identity};
use super::{Error, Options};
use std::sync::Arc;
use windlass_api::authentication::tokens::{BootstrapTokens, TokenAuthenticator};
use windlass_api::authentication::{
    Anonymous, BearerTokens, ClientCertificate, InProcess, RequestHeader, ServiceAccountTokens,
};
use windlass_api::authorization::{Authorizer, Masters, NodeAuthorizer, Rbac, Union};
use windlass_api::reviews::Reviews;
use windlass_api::server::Builder;

/// Who is let in besides those with certificates and tokens of the cluster, and who else decides.
#[derive(Clone)]
pub struct Access {
    /// More kinds of bearer tokens, asked after the cluster's own.
    pub tokens: Vec<Arc<dyn TokenAuthenticator>>,
    /// Who decides about all but `system:masters`, one after the other: nodes and roles by default.
    pub deciders: Vec<Decider>,
    /// Where one may come without credentials.
    pub anonymous: Anonymous,
    /// How service account tokens are signed and read.
    pub service_accounts: ServiceAccountKeys,
}

/// One who decides.
#[derive(Clone)]
pub enum Decider {
    /// What agents need.
    Node,
    /// Roles.
    Rbac,
    /// Somebody else.
    Other(Arc<dyn Authorizer>),
}

/// How service account tokens are signed and read. By default: with a key made at the first start, for the cluster alone.
/// It has no `Debug`: keys stay out of logs.
#[derive(Clone, Default)]
pub struct ServiceAccountKeys {
    /// The private key that signs (PKCS #8, PEM).
    pub signing: Option<String>,
    /// Public keys whose tokens are taken too (PEM): those that signed before.
    pub accepted: Vec<String>,
    /// Who signs, and under which names it did before. The first signs.
    pub issuers: Vec<String>,
    /// For whom tokens are meant when nobody says so; the issuer when there are none.
    pub audiences: Vec<String>,
}

/// Adds to the server who is let in and who decides.
pub(super) fn add(
    mut builder: Builder,
    options: &Options,
    identity: &Identity,
    deciders: &Deciders,
) -> Result<Builder, Error> {
    let (keys, clock) = (identity.tokens.clone(), options.env.clock.clone());
    let allowed = [FRONT_PROXY.to_owned()];
    let proxies = RequestHeader::new(identity.proxies.certificate(), allowed, clock.clone())?;
    let tokens = Arc::new(BearerTokens::new(keys.audiences().to_vec()));
    let uses = deciders.uses.clone();
    let (bearer, reading, more) = (tokens.clone(), keys.clone(), options.access.tokens.clone());
    builder = builder
        .authenticator(Arc::new(InProcess))
        .authenticator(Arc::new(proxies))
        .authenticator(Arc::new(ClientCertificate::new(clock.clone())))
        .authenticator_with(move |objects| {
            let objects = Arc::new(objects.clone());
            let accounts = ServiceAccountTokens::new(reading, objects.clone(), clock.clone());
            let accounts = accounts.noting(uses);
            bearer.add(Arc::new(accounts));
            bearer.add(Arc::new(BootstrapTokens::new(objects, clock)));
            more.into_iter().for_each(|kind| bearer.add(kind));
            bearer
        })
        .anonymous(options.access.anonymous.clone())
        .openid(keys.clone())
        .authorizer(deciders.all.clone());
    let (authorizer, rbac) = (deciders.all.clone(), deciders.rbac.clone());
    for (resource, subresource, creater) in (Reviews { authorizer, rbac, keys, tokens }).creaters()
    {
        builder = builder.creater(resource, subresource, creater);
    }
    Ok(builder)
}

// === impl Access ===

impl Default for Access {
    fn default() -> Self {
        Self {
            tokens: Vec::new(),
            deciders: vec![Decider::Node, Decider::Rbac],
            anonymous: Anonymous::default(),
            service_accounts: ServiceAccountKeys::default(),
        }
    }
}

// === impl ServiceAccountKeys ===

impl ServiceAccountKeys {
    /// Under which names tokens are signed, and were before.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let usual = self.issuers.is_empty().then_some(ISSUER);
        self.issuers.iter().map(String::as_str).chain(usual)
    }

    /// For whom tokens are meant when nobody says so: this server.
    #[must_use]
    pub fn own_audiences(&self) -> Vec<String> {
        match (self.audiences.as_slice(), self.issuers.first()) {
            ([], Some(issuer)) => vec![issuer.clone()],
            ([], None) => vec![ISSUER.to_owned()],
            (some, _) => some.to_vec(),
        }
    }
}

// === impl Deciders ===

impl Deciders {
    /// Masters, and whoever the options name.
    pub(super) fn new(options: &Options) -> Self {
        let (nodes, rbac) = (Arc::<NodeAuthorizer>::default(), Arc::<Rbac>::default());
        let named = options.access.deciders.iter().map(|decider| match decider {
            Decider::Node => nodes.clone() as Arc<dyn Authorizer>,
            Decider::Rbac => rbac.clone(),
            Decider::Other(other) => other.clone(),
        });
        let all: Vec<_> = std::iter::once(Arc::new(Masters) as _).chain(named).collect();
        Self { all: Arc::new(Union(all)), nodes, rbac, uses: Arc::default() }
    }
}
