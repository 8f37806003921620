//! Ending leases whose time is over.

use super::Mvcc;
use crate::{Error, LeaseId, Result};
use futures::future::join_all;
use std::sync::Weak;
use std::time::Duration;
use tokio::time::Instant;

/// So many are revoked at once: those that come together share a sync of the disk.
const AT_ONCE: usize = 256;
/// The first and the longest pause after a failure.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// Revokes each lease when its time is over, until the store closes. `revoke` is told the moment at which
/// the lease was due: it must leave one alone that ends later.
pub(crate) async fn expire<F>(mvcc: Weak<Mvcc>, revoke: impl Fn(LeaseId, Instant) -> F)
where
    F: Future<Output = Result<()>>,
{
    let Some(mut sooner) = mvcc.upgrade().map(|mvcc| mvcc.sooner.subscribe()) else { return };
    let (mut pause, mut not_before) = (PAUSES.0, Instant::now());
    loop {
        sooner.mark_unchanged();
        // Without an answer it is closed, or gone.
        let Some(Ok(next)) = mvcc.upgrade().map(|mvcc| mvcc.next_end()) else { return };
        tokio::select! {
            () = until(next.map(|at| at.max(not_before))) => {}
            changed = sooner.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return,
            },
        }
        let now = Instant::now();
        let due = mvcc.upgrade().map_or(Vec::new(), |mvcc| mvcc.due(now, AT_ONCE));
        match revoke_all(&revoke, due, now).await {
            Ok(()) => pause = PAUSES.0,
            Err(Error::Closed) => return,
            Err(error) => {
                tracing::warn!(%error, ?pause, "could not end a lease; tries again");
                not_before = now + pause;
                pause = (pause * 2).min(PAUSES.1);
            }
        }
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// The first failure, when all were tried. A lease that somebody else ended is none.
async fn revoke_all<F>(
    revoke: impl Fn(LeaseId, Instant) -> F,
    due: Vec<LeaseId>,
    now: Instant,
) -> Result<()>
where
    F: Future<Output = Result<()>>,
{
    let results = join_all(due.into_iter().map(|id| revoke(id, now))).await;
    let mut failed = results.into_iter().filter(|result| match result {
        Ok(()) | Err(Error::LeaseNotFound { .. }) => false,
        Err(_) => true,
    });
    failed.next().unwrap_or(Ok(()))
}
