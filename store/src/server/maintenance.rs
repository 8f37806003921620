//! The Maintenance service.

mod snapshot;

use super::proto::rpc::alarm_request::AlarmAction;
use super::proto::rpc::{
    AlarmRequest, AlarmResponse, DefragmentRequest, DefragmentResponse, DowngradeRequest,
    DowngradeResponse, HashKvRequest, HashKvResponse, HashRequest, HashResponse, MoveLeaderRequest,
    MoveLeaderResponse, SnapshotRequest, SnapshotResponse, StatusRequest, StatusResponse,
    maintenance_server,
};
use super::shared::{Shared, TERM};
use super::{convert, status};
use futures::stream::BoxStream;
use std::sync::Arc;
use tonic::{Request, Response, Status};

type Answer<T> = Result<Response<T>, Status>;

/// The version of etcd whose behaviour this server has. Clients choose by it what they use: a Kubernetes API
/// server asks watches for their progress (its reads from the cache need that) from 3.5.13 on only, for
/// before that the answers could be wrong. A 3.6 would have to speak of storage versions and downgrades.
const VERSION: &str = "3.5.21";

pub(super) struct Maintenance(pub(super) Arc<Shared>);

// === impl Maintenance ===

#[tonic::async_trait]
impl maintenance_server::Maintenance for Maintenance {
    type SnapshotStream = BoxStream<'static, Result<SnapshotResponse, Status>>;

    /// There are no alarms, so there is none to switch off either.
    async fn alarm(&self, request: Request<AlarmRequest>) -> Answer<AlarmResponse> {
        if request.into_inner().action() == AlarmAction::Activate {
            return Err(Status::unimplemented("etcdserver: this store has no alarms"));
        }
        Ok(Response::new(AlarmResponse { header: self.0.header_now().await?, alarms: Vec::new() }))
    }

    async fn status(&self, _: Request<StatusRequest>) -> Answer<StatusResponse> {
        let revision = self.0.store.current_revision().await.map_err(status::from)?;
        let db_size = convert::number((self.0.options.db_size)());
        Ok(Response::new(StatusResponse {
            header: self.0.header(revision),
            version: VERSION.into(),
            db_size,
            db_size_in_use: db_size,
            leader: self.0.member_id,
            raft_index: revision,
            raft_applied_index: revision,
            raft_term: TERM,
            ..StatusResponse::default()
        }))
    }

    async fn defragment(&self, _: Request<DefragmentRequest>) -> Answer<DefragmentResponse> {
        tracing::info!("asked to defragment: nothing to do, the log is shortened as it grows");
        Ok(Response::new(DefragmentResponse { header: None }))
    }

    async fn hash(&self, _: Request<HashRequest>) -> Answer<HashResponse> {
        Err(no_hash())
    }

    async fn hash_kv(&self, _: Request<HashKvRequest>) -> Answer<HashKvResponse> {
        Err(no_hash())
    }

    async fn snapshot(&self, _: Request<SnapshotRequest>) -> Answer<Self::SnapshotStream> {
        Ok(Response::new(snapshot::responses(self.0.store.clone())))
    }

    async fn move_leader(&self, _: Request<MoveLeaderRequest>) -> Answer<MoveLeaderResponse> {
        Err(status::BAD_TRANSFEREE.into())
    }

    async fn downgrade(&self, _: Request<DowngradeRequest>) -> Answer<DowngradeResponse> {
        Err(Status::unimplemented("etcdserver: this store can't be downgraded to an etcd"))
    }
}

/// Hashes are for comparing members with one another.
fn no_hash() -> Status {
    Status::unimplemented("etcdserver: this store has one member and no hash to compare it by")
}
