//! The Cluster service: there is one member, and there stays one.

use super::proto::rpc::{
    Member, MemberAddRequest, MemberAddResponse, MemberListRequest, MemberListResponse,
    MemberPromoteRequest, MemberPromoteResponse, MemberRemoveRequest, MemberRemoveResponse,
    MemberUpdateRequest, MemberUpdateResponse, cluster_server,
};
use super::shared::Shared;
use std::sync::Arc;
use tonic::{Request, Response, Status};

type Answer<T> = Result<Response<T>, Status>;

pub(super) struct Cluster(pub(super) Arc<Shared>);

// === impl Cluster ===

#[tonic::async_trait]
impl cluster_server::Cluster for Cluster {
    async fn member_list(&self, _: Request<MemberListRequest>) -> Answer<MemberListResponse> {
        let member = Member {
            id: self.0.member_id,
            name: self.0.options.name.clone(),
            client_urls: self.0.options.client_urls.clone(),
            ..Member::default()
        };
        let header = self.0.header_now().await?;
        Ok(Response::new(MemberListResponse { header, members: vec![member] }))
    }

    async fn member_add(&self, _: Request<MemberAddRequest>) -> Answer<MemberAddResponse> {
        Err(one_member())
    }

    async fn member_remove(&self, _: Request<MemberRemoveRequest>) -> Answer<MemberRemoveResponse> {
        Err(one_member())
    }

    async fn member_update(&self, _: Request<MemberUpdateRequest>) -> Answer<MemberUpdateResponse> {
        Err(one_member())
    }

    async fn member_promote(
        &self,
        _: Request<MemberPromoteRequest>,
    ) -> Answer<MemberPromoteResponse> {
        Err(one_member())
    }
}

fn one_member() -> Status {
    Status::unimplemented("etcdserver: this store has one member; use an etcd cluster for several")
}
