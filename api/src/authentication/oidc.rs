//! Tokens of an OpenID Connect provider (OpenID Connect Core 1.0, section 3.1.3.7; `--oidc-*` of kube-apiserver).

mod claims;
mod keys;
mod rules;

pub use claims::{ClaimMappings, Mapping};
pub use rules::{ClaimRules, Part};

use super::tokens::{Recognized, TokenAuthenticator};
use super::unauthorized;
use crate::webhook::ReviewerError;
use async_trait::async_trait;
use jsonwebtoken::{Algorithm, Validation};
use keys::ProviderKeys;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use windlass_core::clock::Clock;
use windlass_core::meta::Status;

/// How long the provider may think.
const WITHIN: Duration = Duration::from_secs(10);
/// Algorithms with two keys. One with a shared secret is never taken: the provider's public keys would be the secret.
const ALGORITHMS: [Algorithm; 8] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
];

/// A provider, and what is made of what it says.
#[derive(Clone, Debug)]
pub struct OidcOptions {
    /// Its URL, as it stands in tokens: `https://…`.
    pub issuer: String,
    /// For whom tokens are meant; one of these must be named.
    pub audiences: Vec<String>,
    /// How tokens may be signed: `RS256`, `ES256`, ….
    pub algorithms: Vec<String>,
    /// The authorities that may have signed its certificate (PEM); the system's when `None`.
    pub authority: Option<String>,
    /// Claims that must have these values.
    pub required: BTreeMap<String, String>,
    /// Who somebody is, by his claims.
    pub mappings: ClaimMappings,
    /// What expressions say of that.
    pub rules: Arc<ClaimRules>,
    /// Where its discovery document is, when not under its URL: `https://…/.well-known/openid-configuration`.
    pub discovery: Option<String>,
}

/// Recognizes users by the tokens of a provider. Its keys are read when they are first needed, and again when a token names
/// one that is not known, or after an hour: the server starts without it.
pub struct Oidc {
    options: OidcOptions,
    algorithms: Vec<Algorithm>,
    keys: ProviderKeys,
    clock: Arc<dyn Clock>,
}

/// Why a provider can't be used.
#[derive(Debug, thiserror::Error)]
pub enum OidcError {
    /// Its URL is none, or not https.
    #[error("the issuer {0:?} is no https URL")]
    Issuer(String),
    /// There is no such algorithm with two keys.
    #[error(
        "{0:?} is no algorithm that can be used: RS256, RS384, RS512, ES256, ES384, PS256, PS384, PS512"
    )]
    Algorithm(String),
    /// Its authority can't be read.
    #[error("its certificate authority: {0}")]
    Authority(rustls::pki_types::pem::Error),
    /// It can't be asked.
    #[error(transparent)]
    Client(#[from] ReviewerError),
}

// === impl OidcOptions ===

impl OidcOptions {
    /// The algorithms that there are.
    #[must_use]
    pub fn all_algorithms() -> Vec<String> {
        ALGORITHMS.iter().map(|one| format!("{one:?}")).collect()
    }

    /// A provider for one audience, with Kubernetes' defaults: RS256, the user's name is `ISSUER#SUB`, no groups.
    #[must_use]
    pub fn new(issuer: &str, audience: &str) -> Self {
        Self {
            issuer: issuer.to_owned(),
            audiences: vec![audience.to_owned()],
            algorithms: vec!["RS256".to_owned()],
            authority: None,
            required: BTreeMap::new(),
            mappings: ClaimMappings::of(issuer),
            rules: Arc::default(),
            discovery: None,
        }
    }
}

// === impl Oidc ===

impl Oidc {
    /// Asks nobody yet.
    ///
    /// # Errors
    /// When the options can't be used.
    pub fn new(options: OidcOptions, clock: Arc<dyn Clock>) -> Result<Self, OidcError> {
        https(&options.issuer)?;
        let discovery = match &options.discovery {
            Some(given) => given.clone(),
            None => {
                format!("{}/.well-known/openid-configuration", options.issuer.trim_end_matches('/'))
            }
        };
        let url = https(&discovery)?;
        let named = |name: &String| {
            let known = ALGORITHMS.into_iter().find(|one| format!("{one:?}") == *name);
            known.ok_or_else(|| OidcError::Algorithm(name.clone()))
        };
        let algorithms = options.algorithms.iter().map(named).collect::<Result<_, _>>()?;
        let mut config = kube::Config::new(url.clone());
        if let Some(pem) = &options.authority {
            let all = CertificateDer::pem_slice_iter(pem.as_bytes());
            let all: Result<Vec<_>, _> = all.map(|one| Ok(one?.to_vec())).collect();
            config.root_cert = Some(all.map_err(OidcError::Authority)?);
        }
        let keys = ProviderKeys::new(config, WITHIN, &options.issuer, url)?;
        Ok(Self { options, algorithms, keys, clock })
    }

    /// The claims of a token, if it holds now for one of the audiences.
    async fn claims(&self, token: &str) -> Result<Map<String, Value>, Status> {
        let head = jsonwebtoken::decode_header(token).map_err(|_| unauthorized())?;
        if !self.algorithms.contains(&head.alg) {
            return Err(unauthorized());
        }
        let mut rules = Validation::new(head.alg);
        rules.set_issuer(&[&self.options.issuer]);
        rules.set_audience(&self.options.audiences);
        rules.set_required_spec_claims(&["exp", "iss", "aud"]);
        // Time is injected: compared below.
        (rules.validate_exp, rules.validate_nbf) = (false, false);
        let keys = self.keys.fitting(&head).await.map_err(Status::internal)?;
        let read = keys
            .iter()
            .find_map(|key| jsonwebtoken::decode::<Map<String, Value>>(token, key, &rules).ok());
        let claims = read.ok_or_else(unauthorized)?.claims;
        let now = self.clock.now().as_second();
        let second = |claim: &str| claims.get(claim).and_then(Value::as_f64).map(|at| at as i64);
        let holds = second("exp").is_some_and(|exp| now < exp)
            && second("nbf").is_none_or(|nbf| nbf <= now);
        if holds { Ok(claims) } else { Err(unauthorized()) }
    }
}

fn https(text: &str) -> Result<http::Uri, OidcError> {
    let url = text.parse::<http::Uri>().ok();
    let url = url.filter(|url| url.scheme_str() == Some("https") && url.host().is_some());
    url.ok_or_else(|| OidcError::Issuer(text.to_owned()))
}

#[async_trait]
impl TokenAuthenticator for Oidc {
    async fn authenticate(&self, token: &str, _: &[&str]) -> Result<Option<Recognized>, Status> {
        let named = jsonwebtoken::dangerous::insecure_decode::<Map<String, Value>>(token).ok();
        let issuer = named.as_ref().and_then(|token| token.claims.get("iss")?.as_str());
        if issuer != Some(&self.options.issuer) {
            return Ok(None);
        }
        let claims = self.claims(token).await?;
        let text = |claim: &String| claims.get(claim).and_then(Value::as_str);
        if !self.options.required.iter().all(|(claim, value)| text(claim) == Some(value)) {
            return Err(unauthorized());
        }
        let user = self.options.rules.user(&self.options.mappings, &claims).map_err(|why| {
            tracing::debug!(%why, "a token names nobody");
            unauthorized()
        })?;
        Ok(Some(Recognized { user, audiences: Vec::new() }))
    }
}

#[cfg(test)]
mod tests;
