//! Leases are etcd's own.

use super::Etcd;
use super::convert::{FIRST, lease_id, revision, signed, unsigned};
use super::failure::Failure;
use super::members::Repeat;
use crate::{Error, Lease, LeaseId, LeaseStatus, Limits, Result, Revision};
use async_trait::async_trait;
use bytes::Bytes;
use etcd_client::{GetOptions, LeaseGrantOptions, LeaseTimeToLiveOptions};
use std::time::Duration;

#[async_trait]
impl Lease for Etcd {
    async fn grant(&self, ttl: Duration, id: Option<LeaseId>) -> Result<LeaseStatus> {
        let ttl = signed(Limits::ttl(ttl)?.as_secs());
        let wanted = id.map_or(0, |id| id.get().cast_signed());
        let options = LeaseGrantOptions::new().with_id(wanted);
        let grant = |client: etcd_client::Client| {
            let options = options.clone();
            async move { client.lease_client().grant(ttl, Some(options)).await }
        };
        let granted = match self.members.call(Repeat::Forbidden, grant).await {
            Err(Failure::LeaseExists) if id.is_some() => {
                return Err(Error::LeaseExists { id: id.expect("looked at above") });
            }
            result => result?,
        };
        let id = lease_id(granted.id());
        let id = id.ok_or_else(|| Error::Unavailable("etcd gave a lease without a name".into()))?;
        let whole = Duration::from_secs(unsigned(granted.ttl()));
        Ok(LeaseStatus { id, granted: whole, remaining: whole })
    }

    async fn keep_alive(&self, id: LeaseId) -> Result<Duration> {
        let name = id.get().cast_signed();
        let keep = |client: etcd_client::Client| async move {
            let (mut keeper, mut answers) = client.lease_client().keep_alive(name).await?;
            keeper.keep_alive().await?;
            Ok(answers.message().await?.map_or(0, |answer| answer.ttl()))
        };
        match self.of_lease(id, self.members.call(Repeat::Harmless, keep).await)? {
            ttl @ 1.. => Ok(Duration::from_secs(unsigned(ttl))),
            _ => Err(Error::LeaseNotFound { id }),
        }
    }

    async fn revoke(&self, id: LeaseId) -> Result<Revision> {
        let name = id.get().cast_signed();
        let revoke =
            |client: etcd_client::Client| async move { client.lease_client().revoke(name).await };
        let revoked = self.of_lease(id, self.members.call(Repeat::Forbidden, revoke).await)?;
        Ok(self.saw(revision(revoked.0.header.as_ref())))
    }

    async fn time_to_live(&self, id: LeaseId) -> Result<(LeaseStatus, Vec<Bytes>)> {
        let name = id.get().cast_signed();
        let ask = |client: etcd_client::Client| async move {
            let options = LeaseTimeToLiveOptions::new().with_keys();
            client.lease_client().time_to_live(name, Some(options)).await
        };
        let answer = self.of_lease(id, self.members.call(Repeat::Harmless, ask).await)?;
        if answer.ttl() < 0 {
            return Err(Error::LeaseNotFound { id });
        }
        let granted = Duration::from_secs(unsigned(answer.granted_ttl()));
        let remaining = Duration::from_secs(unsigned(answer.ttl()));
        let mut keys: Vec<Bytes> = answer.0.keys.into_iter().map(Bytes::from).collect();
        keys.sort_unstable();
        Ok((LeaseStatus { id, granted, remaining }, keys))
    }

    async fn leases(&self) -> Result<Vec<LeaseId>> {
        let ask = |client: etcd_client::Client| async move {
            // A member lists what it knows of: a read makes it catch up first.
            let now = GetOptions::new().with_count_only();
            client.kv_client().get(FIRST, Some(now)).await?;
            client.lease_client().leases().await
        };
        let answer = self.members.call(Repeat::Harmless, ask).await?;
        Ok(answer.leases().iter().filter_map(|lease| lease_id(lease.id())).collect())
    }
}

impl Etcd {
    fn of_lease<T>(&self, id: LeaseId, result: Result<T, Failure>) -> Result<T> {
        match result {
            Err(Failure::LeaseNotFound) => Err(Error::LeaseNotFound { id }),
            result => Ok(result?),
        }
    }
}
