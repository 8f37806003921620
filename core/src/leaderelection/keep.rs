//! A leader stays one.

use super::record::{Held, Record};
use super::{LeaderElector, Lost};
use crate::error::{Error, Result};
use std::sync::Arc;
use tokio::time::{Instant, sleep_until, timeout_at};

/// What came of a renewal.
enum Renewal {
    Held(Held),
    Taken(String),
}

impl LeaderElector {
    /// Renews the Lease until it is lost.
    pub(super) async fn keep(&self, held: &mut Held) -> Lost {
        loop {
            let deadline = self.fence.deadline();
            sleep_until((Instant::now() + self.timing.retry_period).min(deadline)).await;
            if !self.fence.is_open() {
                return Lost::Late(self.name());
            }
            match timeout_at(deadline, self.renew(held)).await {
                Err(_) => return Lost::Late(self.name()),
                Ok(Ok(Renewal::Held(renewed))) => *held = renewed,
                Ok(Ok(Renewal::Taken(holder))) => {
                    return Lost::Taken { lease: self.name(), holder };
                }
                Ok(Err(error)) => {
                    tracing::warn!(lease = %self.lease, %error, "lease not renewed, will retry");
                }
            }
        }
    }

    /// Mostly one write. When the Lease is not as it was, it is read again: somebody may have put a label on it.
    async fn renew(&self, held: &Held) -> Result<Renewal> {
        match self.claim(Some(held)).await {
            Err(error) if error.is_conflict() || error.is_not_found() => {}
            claimed => return claimed.map(Renewal::Held),
        }
        let lease = match self.client.get(&self.lease).await {
            Ok(lease) => lease,
            Err(error) if error.is_not_found() => return self.claim_again(None).await,
            Err(error) => return Err(error),
        };
        let holder = Record::of(&lease)?.holder().to_owned();
        if holder == self.identity {
            return self.claim_again(Some(lease)).await;
        }
        Ok(Renewal::Taken(holder))
    }

    async fn claim_again(&self, lease: Option<Arc<crate::Object>>) -> Result<Renewal, Error> {
        self.claim(lease.as_deref()).await.map(Renewal::Held)
    }
}
