//! The KV service.

use super::proto::rpc::request_op::Request as Op;
use super::proto::rpc::response_op::Response as OpResponse;
use super::proto::rpc::{
    CompactionRequest, CompactionResponse, DeleteRangeRequest, DeleteRangeResponse, PutRequest,
    PutResponse, RangeRequest, RangeResponse, RequestOp, ResponseHeader, TxnRequest, TxnResponse,
    kv_server,
};
use super::shared::Shared;
use super::{check, convert, range, status, txn};
use crate::{Error, Revision};
use prost::Message;
use std::sync::Arc;
use tonic::{Request, Response, Status};

type Answer<T> = Result<Response<T>, Status>;

pub(super) struct Kv(pub(super) Arc<Shared>);

// === impl Kv ===

#[tonic::async_trait]
impl kv_server::Kv for Kv {
    async fn range(&self, request: Request<RangeRequest>) -> Answer<RangeResponse> {
        let request = request.into_inner();
        check::range(&request)?;
        let (store, at) = (&*self.0.store, convert::revision(request.revision));
        let found = range::read(store, &request, at, false).await.map_err(status::from)?;
        let header = match at {
            None => self.0.header(found.revision),
            Some(_) => self.0.header_now().await?,
        };
        Ok(Response::new(RangeResponse { header, ..range::respond(&request, found) }))
    }

    async fn put(&self, request: Request<PutRequest>) -> Answer<PutResponse> {
        let request = request.into_inner();
        check::size(request.encoded_len(), self.0.options.max_request_bytes)?;
        check::put(&request)?;
        match self.one(Op::RequestPut(request)).await? {
            (header, OpResponse::ResponsePut(response)) => {
                Ok(Response::new(PutResponse { header, ..response }))
            }
            _ => Err(Status::internal("the answer is not that of a put")),
        }
    }

    async fn delete_range(
        &self,
        request: Request<DeleteRangeRequest>,
    ) -> Answer<DeleteRangeResponse> {
        let request = request.into_inner();
        check::delete(&request)?;
        match self.one(Op::RequestDeleteRange(request)).await? {
            (header, OpResponse::ResponseDeleteRange(response)) => {
                Ok(Response::new(DeleteRangeResponse { header, ..response }))
            }
            _ => Err(Status::internal("the answer is not that of a delete")),
        }
    }

    async fn txn(&self, request: Request<TxnRequest>) -> Answer<TxnResponse> {
        let request = request.into_inner();
        check::size(request.encoded_len(), self.0.options.max_request_bytes)?;
        check::txn(&request, self.0.options.max_txn_ops)?;
        Ok(Response::new(txn::execute(&self.0, &request).await?))
    }

    async fn compact(&self, request: Request<CompactionRequest>) -> Answer<CompactionResponse> {
        let revision = convert::revision(request.into_inner().revision);
        self.compact_before(revision.ok_or(status::COMPACTED)?).await?;
        Ok(Response::new(CompactionResponse { header: self.0.header_now().await? }))
    }
}

impl Kv {
    /// A transaction of one operation.
    async fn one(&self, op: Op) -> Result<(Option<ResponseHeader>, OpResponse), Status> {
        let success = vec![RequestOp { request: Some(op) }];
        let request = TxnRequest { success, ..TxnRequest::default() };
        let TxnResponse { header, mut responses, .. } = txn::execute(&self.0, &request).await?;
        let response = responses.pop().and_then(|response| response.response);
        Ok((header, response.ok_or_else(|| Status::internal("the answer is empty"))?))
    }

    /// In etcd the revision that is named stays readable, in the store it does not: so the one
    /// before it is named there.
    async fn compact_before(&self, revision: Revision) -> Result<(), Status> {
        let store = &self.0.store;
        let current = store.current_revision().await.map_err(status::from)?;
        if revision > current {
            return Err(status::FUTURE.into());
        }
        let last = revision - 1;
        // Nothing is stored under this key, and only whether the revision can be read matters.
        match store.get(&[0], Some(last)).await {
            // Before anything was written.
            Err(Error::Compacted { .. }) if last < 1 => Ok(()),
            Ok(_) => store.compact(last).await.map_err(status::from),
            Err(error) => Err(status::from(error)),
        }
    }
}
