//! The server as a tower service.

use super::ApiServer;
use crate::endpoints::{self, Body, BodyError};
use bytes::Buf;
use futures::future::BoxFuture;
use http::{Request, Response};
use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Answers HTTP requests with any kind of body: mount a `kube::Client` on it, or a listener. Cheap to clone.
#[derive(Clone)]
pub struct Service {
    server: Arc<ApiServer>,
}

// === impl Service ===

impl Service {
    pub(super) fn new(server: Arc<ApiServer>) -> Self {
        Self { server }
    }
}

impl<B> tower::Service<Request<B>> for Service
where
    B: http_body::Body + Send + 'static,
    B::Data: Buf + Send,
    B::Error: Into<BodyError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let server = self.server.clone();
        let request = request.map(endpoints::boxed);
        Box::pin(async move { Ok(endpoints::serve(server, request).await) })
    }
}
