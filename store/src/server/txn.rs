//! Transactions, and every other write: each is a transaction of one operation.
//!
//! etcd decides a transaction where it applies it. A [`Backend`](crate::Backend) has preconditions instead. So
//! the comparisons and reads are made at one revision, and the commit has as preconditions that nothing
//! that was read has changed since. If something has, it is begun anew. What clients do most (write this key if
//! it is at that revision) needs no reading: its comparisons are preconditions themselves.

mod assemble;
mod compare;
mod plan;

use super::proto::rpc::{TxnRequest, TxnResponse};
use super::shared::Shared;
use super::status;
use crate::Error;
use plan::Plan;
use tonic::Status;

/// How often a transaction is begun while others write beside it.
const BESIDE_OTHERS: usize = 4;
/// How often it is begun when nobody writes through this server: somebody else writes to the store.
const ALONE: usize = 64;

/// Why a transaction did not happen.
enum Failure {
    /// Something that was read has changed since: it can be begun anew.
    Moved,
    Refused(Status),
}

/// Does the transaction, which was checked. The header of the answer is the only one that is whole.
pub(super) async fn execute(shared: &Shared, request: &TxnRequest) -> Result<TxnResponse, Status> {
    if let Some(plan) = Plan::direct(request)
        && let Some(done) = ended(beside_others(shared, plan).await)
    {
        return done;
    }
    for _ in 0..BESIDE_OTHERS {
        let plan = match Plan::at_present(&*shared.store, request).await {
            Ok(plan) => plan,
            Err(Failure::Moved) => continue,
            Err(Failure::Refused(status)) => return Err(status),
        };
        if let Some(done) = ended(beside_others(shared, plan).await) {
            return done;
        }
    }
    let _alone = shared.writers.write().await;
    for _ in 0..ALONE {
        if let Some(done) = ended(attempt(shared, request).await) {
            return done;
        }
    }
    Err(status::TOO_MANY_REQUESTS.into())
}

fn ended(result: Result<TxnResponse, Failure>) -> Option<Result<TxnResponse, Status>> {
    match result {
        Ok(response) => Some(Ok(response)),
        Err(Failure::Refused(status)) => Some(Err(status)),
        Err(Failure::Moved) => None,
    }
}

async fn attempt(shared: &Shared, request: &TxnRequest) -> Result<TxnResponse, Failure> {
    let plan = Plan::at_present(&*shared.store, request).await?;
    commit(shared, plan).await
}

async fn beside_others(shared: &Shared, plan: Plan) -> Result<TxnResponse, Failure> {
    let _beside_others = shared.writers.read().await;
    commit(shared, plan).await
}

async fn commit(shared: &Shared, plan: Plan) -> Result<TxnResponse, Failure> {
    let Plan { txn, branch, written, at } = plan;
    let response = if txn.ops.is_empty() {
        assemble::response(branch, at, Vec::new(), &written)
    } else {
        let committed = shared.store.commit(txn).await?;
        assemble::response(branch, committed.revision, committed.previous, &written)
    };
    let revision = response.header.as_ref().map_or(0, |header| header.revision);
    let header = shared.header(revision.cast_unsigned());
    Ok(TxnResponse { header, ..response })
}

// === impl Failure ===

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            // Compacted: the revision that was read is gone, for there is a newer one.
            Error::Precondition { .. } | Error::Compacted { .. } => Self::Moved,
            error => Self::Refused(status::from(error)),
        }
    }
}
