//! A provider's public keys, read where its discovery document says (OpenID Connect Discovery 1.0, section 4).

use crate::webhook::{Reviewer, ReviewerError};
use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{DecodingKey, Header};
use parking_lot::RwLock;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use windlass_core::component::BoxError;

/// Keys are read again after so long, when they are needed: a key that was withdrawn counts no longer then.
const FRESH: Duration = Duration::from_secs(3600);
/// They are not read more often, whatever tokens name: who sends rubbish must not make the server ask for it.
const PAUSE: Duration = Duration::from_secs(10);

pub(super) struct ProviderKeys {
    /// How the provider is reached; its keys may be elsewhere.
    config: kube::Config,
    within: Duration,
    provider: Reviewer,
    issuer: String,
    /// Its discovery document.
    discovery: http::Uri,
    known: RwLock<Arc<Known>>,
    /// One asks at a time; holds when it was last tried.
    asking: tokio::sync::Mutex<Option<Instant>>,
}

#[derive(Default)]
struct Known {
    keys: Vec<Jwk>,
    read: Option<Instant>,
}

// === impl ProviderKeys ===

impl ProviderKeys {
    pub(super) fn new(
        config: kube::Config,
        within: Duration,
        issuer: &str,
        discovery: http::Uri,
    ) -> Result<Self, ReviewerError> {
        let (known, asking) = (RwLock::default(), tokio::sync::Mutex::default());
        let provider = Reviewer::new(config.clone(), within)?;
        Ok(Self { config, within, provider, issuer: issuer.to_owned(), discovery, known, asking })
    }

    /// The keys with which a token of this head may be signed.
    pub(super) async fn fitting(&self, head: &Header) -> Result<Vec<DecodingKey>, ReviewerError> {
        let known = self.known.read().clone();
        let found = known.fitting(head);
        if known.is_fresh() && !found.is_empty() {
            return Ok(found);
        }
        match self.read_again().await {
            Ok(()) => Ok(self.known.read().fitting(head)),
            // A provider that is away for a while does not lock its users out.
            Err(error) if !found.is_empty() => {
                tracing::warn!(%error, issuer = self.issuer, "its keys can't be read again");
                Ok(found)
            }
            Err(error) => Err(error),
        }
    }

    async fn read_again(&self) -> Result<(), ReviewerError> {
        let waiting = Instant::now();
        let mut tried = self.asking.lock().await;
        if tried.is_some_and(|at| at > waiting || at.elapsed() < PAUSE) {
            return Ok(());
        }
        *tried = Some(Instant::now());
        let keys = self.fetch().await?;
        *self.known.write() = Arc::new(Known { keys, read: Some(Instant::now()) });
        Ok(())
    }

    async fn fetch(&self) -> Result<Vec<Jwk>, ReviewerError> {
        let bad = |why: String| ReviewerError::Answer(BoxError::from(why));
        let own = &self.discovery;
        let path = own.path_and_query().map_or("/", |path| path.as_str());
        let found = self.provider.get(path).await?;
        let text = |field: &str| found.get(field).and_then(Value::as_str).unwrap_or_default();
        if text("issuer") != self.issuer {
            return Err(bad(format!("it calls itself {:?}", text("issuer"))));
        }
        let keys: http::Uri = text("jwks_uri").parse().map_err(|_| bad("no jwks_uri".into()))?;
        if keys.scheme_str() != Some("https") {
            return Err(bad(format!("the jwks_uri {keys} is no https URL")));
        }
        let path = keys.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let set = if keys.authority() == own.authority() {
            self.provider.get(&path).await?
        } else {
            let mut config = self.config.clone();
            config.cluster_url = keys;
            Reviewer::new(config, self.within)?.get(&path).await?
        };
        // Keys of kinds that are not known here are left out.
        let all = set.get("keys").and_then(Value::as_array).cloned().unwrap_or_default();
        let keys = all.into_iter().filter_map(|key| serde_json::from_value::<Jwk>(key).ok());
        Ok(JwkSet { keys: keys.collect() }.keys)
    }
}

// === impl Known ===

impl Known {
    fn is_fresh(&self) -> bool {
        self.read.is_some_and(|at| at.elapsed() < FRESH)
    }

    fn fitting(&self, head: &Header) -> Vec<DecodingKey> {
        let fits = |key: &&Jwk| {
            let common = &key.common;
            let signs =
                common.public_key_use.as_ref().is_none_or(|it| *it == PublicKeyUse::Signature);
            let named = head.kid.is_none() || common.key_id == head.kid;
            let alike = common
                .key_algorithm
                .as_ref()
                .is_none_or(|it| it.to_string() == format!("{:?}", head.alg));
            signs && named && alike
        };
        self.keys.iter().filter(fits).filter_map(|key| DecodingKey::from_jwk(key).ok()).collect()
    }
}
