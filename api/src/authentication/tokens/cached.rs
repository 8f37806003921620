//! Answers that are remembered for a while, so that not every request asks somebody else.

use super::{Recognized, TokenAuthenticator};
use crate::expiring::Expiring;
use async_trait::async_trait;
use sha2::{Digest, Sha256};
use std::time::Duration;
use windlass_core::meta::Status;

/// So many answers are remembered.
const ANSWERS: usize = 4096;

/// Remembers whom a kind of tokens recognized, and what it did not know; errors it does not. Tokens are kept as digests.
pub struct Cached<T> {
    inner: T,
    good: Duration,
    bad: Duration,
    answers: Expiring<[u8; 32], Option<Recognized>>,
}

// === impl Cached ===

impl<T: TokenAuthenticator> Cached<T> {
    /// Remembers who was recognized for `good`, and that nobody was for `bad`.
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
            return Ok(known);
        }
        let answer = self.inner.authenticate(token, audiences).await?;
        let time = if answer.is_some() { self.good } else { self.bad };
        self.answers.insert(key, answer.clone(), time);
        Ok(answer)
    }
}
