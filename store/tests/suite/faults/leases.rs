//! Leases in a run: a few names, each of which comes and ends again and again.

use super::history::History;
use rand::Rng;
use rand::rngs::SmallRng;
use std::time::Duration;
use windlass_store::{Embedded, Lease, LeaseId, LeaseStatus, Result, Revision};

const NAMES: u64 = 4;
/// Longer than any run: they end when they are told to.
const TTL: Duration = Duration::from_secs(3600);

/// What becomes of a lease.
#[derive(Clone, Copy)]
pub(super) enum Change {
    Grant,
    Revoke,
}

/// What was answered.
pub(super) enum Changed {
    Granted(Result<LeaseStatus>),
    Revoked(Result<Revision>),
}

/// One of the names, or none.
pub(super) fn one(rng: &mut SmallRng) -> Option<LeaseId> {
    LeaseId::new(rng.random_range(0..=NAMES))
}

/// What to do to a lease in a round, if anything.
pub(super) fn change(rng: &mut SmallRng, history: &History) -> Option<(LeaseId, Change)> {
    let id = one(rng).filter(|_| rng.random_bool(0.5))?;
    // Seldom what is refused.
    let odd = rng.random_bool(0.1);
    let change = if history.leases.contains(&id) != odd { Change::Revoke } else { Change::Grant };
    Some((id, change))
}

pub(super) async fn apply(store: &Embedded, change: Option<(LeaseId, Change)>) -> Option<Changed> {
    let (id, change) = change?;
    Some(match change {
        Change::Grant => Changed::Granted(store.grant(TTL, Some(id)).await),
        Change::Revoke => Changed::Revoked(store.revoke(id).await),
    })
}

/// Notes the answer, after those to the transactions beside it.
pub(super) fn note(
    history: &mut History,
    change: Option<(LeaseId, Change)>,
    changed: Option<Changed>,
) {
    match change.zip(changed) {
        None => {}
        Some(((id, _), Changed::Granted(answer))) => history.note_grant(id, answer),
        Some(((id, _), Changed::Revoked(answer))) => history.note_revoke(id, answer),
    }
}
