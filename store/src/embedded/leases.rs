//! Leases of an embedded store.

use super::Embedded;
use super::writer::Job;
use crate::mvcc::expire;
use crate::{Error, Lease, LeaseId, LeaseStatus, Limits, Result, Revision};
use async_trait::async_trait;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{Sender, WeakSender};
use tokio::sync::oneshot;
use tokio::time::Instant;

// === impl Embedded ===

impl Embedded {
    /// Ends leases when their time is over, until the store closes, which it does not hold up. Run it
    /// once, as a task; without it leases end only when they are revoked.
    pub fn expiry(&self) -> impl Future<Output = ()> + Send + 'static + use<> {
        let jobs = self.jobs.as_ref().map(Sender::downgrade);
        expire(Arc::downgrade(&self.mvcc), move |id, due| revoke_due(jobs.clone(), id, due))
    }
}

async fn revoke_due(jobs: Option<WeakSender<Job>>, id: LeaseId, due: Instant) -> Result<()> {
    let (reply, answer) = oneshot::channel();
    let jobs = jobs.and_then(|jobs| jobs.upgrade()).ok_or(Error::Closed)?;
    // Does not wait for a place: one who holds a sender and waits keeps the store from closing.
    let sent = jobs.try_send(Job::Revoke { id, due: Some(due), reply });
    drop(jobs);
    sent.map_err(|_| Error::Unavailable("too many commits wait".into()))?;
    answer.await.map_err(|_| Error::Closed)?.map(|_revision| ())
}

#[async_trait]
impl Lease for Embedded {
    async fn grant(&self, ttl: Duration, id: Option<LeaseId>) -> Result<LeaseStatus> {
        let ttl = Limits::ttl(ttl)?;
        let now = Instant::now();
        let status = self.ask(|reply| Job::Grant { ttl, id, now, reply }).await?;
        match self.mvcc.keep_alive(status.id) {
            // Its time begins now that it is known. It may be over or revoked, and was granted all the same.
            Ok(_) | Err(Error::LeaseNotFound { .. }) => Ok(status),
            Err(error) => Err(error),
        }
    }

    async fn keep_alive(&self, id: LeaseId) -> Result<Duration> {
        self.mvcc.keep_alive(id)
    }

    async fn revoke(&self, id: LeaseId) -> Result<Revision> {
        self.ask(|reply| Job::Revoke { id, due: None, reply }).await
    }

    async fn time_to_live(&self, id: LeaseId) -> Result<(LeaseStatus, Vec<Bytes>)> {
        self.mvcc.time_to_live(id)
    }

    async fn leases(&self) -> Result<Vec<LeaseId>> {
        self.mvcc.leases()
    }
}
