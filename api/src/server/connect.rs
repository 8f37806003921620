//! Subresources that are conversations: logs, exec, attach, port-forward, proxy.

use crate::authentication::User;
use crate::endpoints::{Body, RequestBody};
use crate::registry::Loopback;
use async_trait::async_trait;
use windlass_core::meta::Status;
use windlass_core::request::RequestInfo;
use windlass_core::request::ResourceTarget;

/// A request whose connection may be upgraded (`hyper::upgrade::on`).
pub type ConnectRequest = http::Request<RequestBody>;

/// Answers the connections to one subresource. What may be done was decided before.
#[async_trait]
pub trait Connect: Send + Sync {
    /// Answers; a long answer is a stream.
    ///
    /// # Errors
    /// What the client is told.
    async fn connect(
        &self,
        call: ConnectCall<'_>,
        request: ConnectRequest,
    ) -> Result<http::Response<Body>, Status>;
}

/// Who connects, and to what.
pub struct ConnectCall<'a> {
    /// Who.
    pub user: &'a User,
    /// To what.
    pub target: &'a ResourceTarget,
    /// The request, with its query.
    pub info: &'a RequestInfo,
    /// The server's own objects.
    pub objects: &'a Loopback,
}
