//! Who a request comes from is known already: it was made in the server's own process.

use super::{Authenticator, User};
use async_trait::async_trait;
use windlass_core::meta::Status;

/// Takes the [`User`] among a request's extensions. Those never come over a connection: only code in
/// this process can put one there, as a layer over [`crate::server::Service`] does.
#[derive(Clone, Copy, Debug, Default)]
pub struct InProcess;

#[async_trait]
impl Authenticator for InProcess {
    async fn authenticate(&self, request: &http::request::Parts) -> Result<Option<User>, Status> {
        Ok(request.extensions.get::<User>().cloned())
    }
}
