//! Answers that are remembered for a while, so that not every request asks somebody else.

use super::{Recognized, TokenAuthenticator};
use crate::authentication::unauthorized;
use crate::expiring::Expiring;
use async_trait::async_trait;
use sha2::{Digest, Sha256};
use std::time::Duration;
use windlass_core::meta::Status;

/// So many answers are remembered.
const ANSWERS: usize = 4096;

/// Remembers whom a kind of tokens recognized, and what it did not know or refused; other errors it does not. Tokens are kept
/// as digests.
pub struct Cached<T> {
    inner: T,
    good: Duration,
    bad: Duration,
    answers: Expiring<[u8; 32], Result<Option<Recognized>, Status>>,
}

// === impl Cached ===

impl<T: TokenAuthenticator> Cached<T> {
    /// Remembers who was recognized for `good`, and that nobody was or that it was refused for `bad`.
    #[must_use]
    pub fn new(inner: T, good: Duration, bad: Duration) -> Self {
        Self { inner, good, bad, answers: Expiring::new(ANSWERS) }
    }
}

#[async_trait]
impl<T: TokenAuthenticator> TokenAuthenticator for Cached<T> {
    async fn authenticate(
        &self,
        token: &str,
        audiences: &[&str],
    ) -> Result<Option<Recognized>, Status> {
        let mut digest = Sha256::new_with_prefix(token);
        for audience in audiences {
            digest.update([0]);
            digest.update(audience);
        }
        let key: [u8; 32] = digest.finalize().into();
        if let Some(known) = self.answers.get(&key) {
            return known;
        }
        let answer = self.inner.authenticate(token, audiences).await;
        let time = match &answer {
            Ok(Some(_)) => self.good,
            Err(status) if status.code != unauthorized().code => return answer,
            Ok(None) | Err(_) => self.bad,
        };
        self.answers.insert(key, answer.clone(), time);
        answer
    }
}
