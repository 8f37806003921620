//! The Watch service.

mod events;
mod progress;
mod session;

use super::proto::rpc::{WatchRequest, WatchResponse, watch_server};
use super::shared::Shared;
use futures::stream::BoxStream;
use session::Session;
use std::sync::Arc;
use tonic::{Request, Response, Status, Streaming};

pub(super) struct Watch(pub(super) Arc<Shared>);

// === impl Watch ===

#[tonic::async_trait]
impl watch_server::Watch for Watch {
    type WatchStream = BoxStream<'static, Result<WatchResponse, Status>>;

    async fn watch(
        &self,
        request: Request<Streaming<WatchRequest>>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let session = Session::new(self.0.clone(), request.into_inner());
        Ok(Response::new(session.responses()))
    }
}
