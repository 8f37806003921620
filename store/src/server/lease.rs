//! The Lease service.

use super::proto::rpc::{
    LeaseGrantRequest, LeaseGrantResponse, LeaseKeepAliveRequest, LeaseKeepAliveResponse,
    LeaseLeasesRequest, LeaseLeasesResponse, LeaseRevokeRequest, LeaseRevokeResponse, LeaseStatus,
    LeaseTimeToLiveRequest, LeaseTimeToLiveResponse, lease_server,
};
use super::shared::Shared;
use super::{convert, status};
use crate::Error;
use crate::limits::MAX_TTL_SECONDS;
use futures::stream::{self, BoxStream, StreamExt};
use std::sync::Arc;
use std::time::Duration;
use tonic::{Request, Response, Status, Streaming};

type Answer<T> = Result<Response<T>, Status>;

pub(super) struct Lease(pub(super) Arc<Shared>);

// === impl Lease ===

#[tonic::async_trait]
impl lease_server::Lease for Lease {
    type LeaseKeepAliveStream = BoxStream<'static, Result<LeaseKeepAliveResponse, Status>>;

    async fn lease_grant(&self, request: Request<LeaseGrantRequest>) -> Answer<LeaseGrantResponse> {
        let LeaseGrantRequest { ttl, id } = request.into_inner();
        let ttl = u64::try_from(ttl).unwrap_or(0).max(1);
        if ttl > MAX_TTL_SECONDS {
            return Err(status::TTL_TOO_LARGE.into());
        }
        let granted = self.0.store.grant(Duration::from_secs(ttl), convert::lease(id)).await;
        let granted = granted.map_err(status::from)?;
        Ok(Response::new(LeaseGrantResponse {
            header: self.0.header_now().await?,
            id: convert::lease_number(Some(granted.id)),
            ttl: seconds(granted.granted),
            error: String::new(),
        }))
    }

    async fn lease_revoke(
        &self,
        request: Request<LeaseRevokeRequest>,
    ) -> Answer<LeaseRevokeResponse> {
        let id = convert::lease(request.into_inner().id).ok_or(status::LEASE_NOT_FOUND)?;
        let revision = self.0.store.revoke(id).await.map_err(status::from)?;
        Ok(Response::new(LeaseRevokeResponse { header: self.0.header(revision) }))
    }

    async fn lease_keep_alive(
        &self,
        request: Request<Streaming<LeaseKeepAliveRequest>>,
    ) -> Answer<Self::LeaseKeepAliveStream> {
        let state = (self.0.clone(), self.0.stopped(), Some(request.into_inner()));
        let answers = stream::unfold(state, |(shared, mut stopped, requests)| async move {
            let mut requests = requests?;
            let request = tokio::select! {
                request = requests.message() => request,
                () = stopped.wait() => Err(status::STOPPED.into()),
            };
            let answer = match request {
                Ok(None) => return None,
                Ok(Some(request)) => keep_alive(&shared, request.id).await,
                Err(status) => Err(status),
            };
            let requests = answer.is_ok().then_some(requests);
            Some((answer, (shared, stopped, requests)))
        });
        Ok(Response::new(answers.boxed()))
    }

    async fn lease_time_to_live(
        &self,
        request: Request<LeaseTimeToLiveRequest>,
    ) -> Answer<LeaseTimeToLiveResponse> {
        let LeaseTimeToLiveRequest { id, keys: with_keys } = request.into_inner();
        let header = self.0.header_now().await?;
        let gone = LeaseTimeToLiveResponse { header, id, ttl: -1, ..Default::default() };
        let Some(name) = convert::lease(id) else { return Ok(Response::new(gone)) };
        let (status, keys) = match self.0.store.time_to_live(name).await {
            Err(Error::LeaseNotFound { .. }) => return Ok(Response::new(gone)),
            found => found.map_err(status::from)?,
        };
        Ok(Response::new(LeaseTimeToLiveResponse {
            ttl: seconds(status.remaining),
            granted_ttl: seconds(status.granted),
            keys: if with_keys { keys } else { Vec::new() },
            ..gone
        }))
    }

    async fn lease_leases(&self, _: Request<LeaseLeasesRequest>) -> Answer<LeaseLeasesResponse> {
        let leases = self.0.store.leases().await.map_err(status::from)?;
        let header = self.0.header_now().await?;
        let status = |id| LeaseStatus { id: convert::lease_number(Some(id)) };
        let leases = leases.into_iter().map(status).collect();
        Ok(Response::new(LeaseLeasesResponse { header, leases }))
    }
}

/// One that is gone has no time left. The header is from before: a lease that ends just then was alive at
/// the revision that the answer names.
async fn keep_alive(shared: &Shared, id: i64) -> Result<LeaseKeepAliveResponse, Status> {
    let header = shared.header_now().await?;
    let left = match convert::lease(id) {
        None => None,
        Some(name) => match shared.store.keep_alive(name).await {
            Ok(left) => Some(left),
            Err(Error::LeaseNotFound { .. }) => None,
            Err(error) => return Err(status::from(error)),
        },
    };
    Ok(LeaseKeepAliveResponse { header, id, ttl: left.map_or(0, seconds) })
}

fn seconds(duration: Duration) -> i64 {
    convert::number(duration.as_secs())
}
