//! Requests for what another server serves: through this one, as over HTTP, but without a connection to it.

use crate::authentication::User;
use crate::endpoints::Body;
use crate::server::ApiServer;
use http::{Request, Response};
use std::convert::Infallible;
use std::sync::{Arc, OnceLock};
use tower::ServiceExt;
use windlass_core::client::remote::RemoteClient;

/// Who asks, known without credentials: only [`super::LocalClient`] can say so.
#[derive(Clone)]
pub(crate) struct LocalUser(pub(crate) User);

/// The client for that, made when it is first needed. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Behind(Arc<OnceLock<RemoteClient>>);

// === impl Behind ===

impl Behind {
    /// Asks as a user. To be called within a runtime.
    pub(super) fn client(&self, server: &Arc<ApiServer>, user: &User) -> &RemoteClient {
        self.0.get_or_init(|| {
            let (server, user) = (Arc::downgrade(server), LocalUser(user.clone()));
            let service = tower::service_fn(move |mut request: Request<kube::client::Body>| {
                request.extensions_mut().insert(user.clone());
                let server = server.upgrade();
                async move {
                    match server {
                        Some(server) => server.service().oneshot(request).await,
                        None => Ok::<Response<Body>, Infallible>(crate::endpoints::gone()),
                    }
                }
            });
            RemoteClient::new(kube::Client::new(service, "default"))
        })
    }
}
