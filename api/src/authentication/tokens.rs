//! Bearer tokens: one header, several kinds of tokens.

mod bootstrap;
mod cached;
mod file;
mod webhook;

pub use bootstrap::BootstrapTokens;
pub use cached::Cached;
pub use file::{TokenFile, TokenFileError};
pub use webhook::WebhookTokens;

use super::{Authenticator, User, unauthorized};
use async_trait::async_trait;
use http::header::AUTHORIZATION;
use parking_lot::RwLock;
use std::sync::Arc;
use windlass_core::meta::Status;

/// No header of a request is longer; neither is a token.
const LONGEST: usize = 16 << 10;

/// Recognizes users by tokens of one kind.
#[async_trait]
pub trait TokenAuthenticator: Send + Sync {
    /// Whose token it is, if it is meant for one of `audiences` (for this server when there are none); `None` when it is of
    /// another kind.
    ///
    /// # Errors
    /// `Unauthorized` when it is of this kind and not good; another one when that can't be found out.
    async fn authenticate(
        &self,
        token: &str,
        audiences: &[&str],
    ) -> Result<Option<Recognized>, Status>;
}

/// Somebody who was recognized by a token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recognized {
    /// Who.
    pub user: User,
    /// For which of the audiences that were asked for the token is meant. Empty: for this server.
    pub audiences: Vec<String>,
}

/// Recognizes users by the token in `Authorization: Bearer`, of whatever kind it is. Kinds may be added at any time.
pub struct BearerTokens {
    audiences: Vec<String>,
    kinds: RwLock<Arc<[Arc<dyn TokenAuthenticator>]>>,
}

// === impl BearerTokens ===

impl BearerTokens {
    /// Knows no kind yet. Tokens of kinds that do not speak of audiences are meant for these: the server's own.
    #[must_use]
    pub fn new(audiences: Vec<String>) -> Self {
        Self { audiences, kinds: RwLock::new(Arc::from([])) }
    }

    /// Knows another kind of tokens, after those it knew before. Of several the first that knows a token decides.
    pub fn add(&self, kind: Arc<dyn TokenAuthenticator>) {
        let mut kinds = self.kinds.write();
        *kinds = kinds.iter().cloned().chain([kind]).collect();
    }

    /// Whose token it is, as [`TokenAuthenticator::authenticate`]. One kind that refuses does not end the search, as in
    /// Kubernetes; its reason is told when no other knows better.
    ///
    /// # Errors
    /// `Unauthorized` when nobody takes it.
    pub async fn recognize(
        &self,
        token: &str,
        audiences: &[&str],
    ) -> Result<Option<Recognized>, Status> {
        if token.len() > LONGEST {
            return Err(unauthorized());
        }
        let (kinds, mut refused) = (self.kinds.read().clone(), None);
        for kind in kinds.iter() {
            match kind.authenticate(token, audiences).await {
                Ok(Some(recognized)) => {
                    if let Some(meant) = self.meant(recognized, audiences) {
                        return Ok(Some(meant));
                    }
                }
                Ok(None) => {}
                Err(status) => refused = refused.or(Some(status)),
            }
        }
        refused.map_or(Ok(None), Err)
    }
}

impl BearerTokens {
    /// Somebody with the audiences his token is meant for; none when it is meant for none of those asked for.
    fn meant(&self, mut recognized: Recognized, asked: &[&str]) -> Option<Recognized> {
        if recognized.audiences.is_empty() {
            let own = self
                .audiences
                .iter()
                .filter(|own| asked.is_empty() || asked.contains(&own.as_str()));
            recognized.audiences = own.cloned().collect();
            if recognized.audiences.is_empty() && !asked.is_empty() {
                return None;
            }
        }
        Some(recognized)
    }
}

#[async_trait]
impl Authenticator for BearerTokens {
    async fn authenticate(&self, request: &http::request::Parts) -> Result<Option<User>, Status> {
        let Some(token) = token(request) else { return Ok(None) };
        match self.recognize(token, &[]).await {
            Ok(recognized) => Ok(recognized.map(|recognized| recognized.user)),
            Err(status) => {
                if status.code != unauthorized().code {
                    tracing::warn!(reason = %status.message, "a token could not be checked");
                }
                Err(unauthorized())
            }
        }
    }
}

/// The token of a request, if it has one.
fn token(request: &http::request::Parts) -> Option<&str> {
    let value = request.headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests;
