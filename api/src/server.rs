//! The server: put together by a builder, reached by a listener, as a tower service, or in-process.

mod batching;
mod builder;
mod connect;
mod limits;
mod listener;
mod patient;
mod service;

pub use builder::Builder;
pub use connect::{Connect, ConnectCall, ConnectRequest};
pub use limits::Limits;
pub use listener::ServeOptions;
pub use service::Service;

use crate::admission::notes;
use crate::aggregation::Aggregator;
use crate::audit::{Audit, Origin, Record};
use crate::authentication::{Anonymous, Authenticator, OpenId};
use crate::endpoints::Documents;
use crate::flowcontrol::FlowControl;
use crate::handler::{Answer, Content, Handler, Request, Seen};
use crate::metrics::Metrics;
use crate::registry::Loopback;
use futures::StreamExt;
use rustc_hash::FxHashMap;
use std::borrow::Cow;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio_util::sync::DropGuard;
use windlass_core::clock::Env;
use windlass_core::component::Shutdown;
use windlass_core::meta::{Reason, Status};
use windlass_core::request::key_path;
use windlass_core::scheme::GroupVersionResource;

/// Who answers connections to a subresource.
pub(crate) type Connects = FxHashMap<(GroupVersionResource, Cow<'static, str>), Arc<dyn Connect>>;

/// A Kubernetes API server over a store. Its tasks end when it is dropped.
pub struct ApiServer {
    pub(crate) handler: Handler,
    pub(crate) aggregator: Option<Arc<Aggregator>>,
    pub(crate) authenticators: Vec<Arc<dyn Authenticator>>,
    pub(crate) anonymous: Anonymous,
    pub(crate) connects: Connects,
    pub(crate) documents: Documents,
    pub(crate) openid: Option<OpenId>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) audit: Option<Arc<Audit>>,
    /// How many requests are held at once; watches do not count.
    pub(crate) in_flight: Semaphore,
    pub(crate) limits: Limits,
    /// It is going to end: it says so to those who ask whether it is ready.
    pub(crate) stopping: Shutdown,
    /// New requests are told to ask elsewhere.
    pub(crate) refusing: Shutdown,
    /// Ends the watches.
    pub(crate) shutdown: Shutdown,
    /// Ends the server's own tasks: requests that are being worked on still need them.
    _tasks: DropGuard,
}

// === impl ApiServer ===

impl ApiServer {
    /// Begins to put a server together.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Answers one request, as [`crate::local::LocalClient`] does.
    ///
    /// # Errors
    /// What the client is told.
    pub async fn handle(&self, request: Request) -> Result<Answer, Status> {
        let Some(record) = self.record(&request) else { return self.handler.handle(request).await };
        if let Err(status) = record.check() {
            record.complete(status.code, Some(&status));
            return Err(status);
        }
        if let Ok(entry) = self.handler.find(&request.target) {
            record.sent(&entry, &request.action);
            if let Err(status) = record.within(&self.handler.operations(&request)) {
                record.complete(status.code, Some(&status));
                return Err(status);
            }
        }
        let (answer, noted) = notes::collect(self.handler.handle(request)).await;
        record.noted(&noted);
        let mut answer = match answer {
            Ok(answer) => answer,
            Err(status) => {
                record.decided(status.reason != Reason::Forbidden, "");
                record.complete(status.code, Some(&status));
                return Err(status);
            }
        };
        record.decided(true, "");
        record.answered(&answer.entry, &answer.content);
        answer.content = match answer.content {
            Content::Watch(events) => {
                record.started(200);
                let record = Ended(record);
                Content::Watch(events.inspect(move |_| _ = &record).boxed())
            }
            content => {
                record.complete(if answer.created { 201 } else { 200 }, None);
                content
            }
        };
        Ok(answer)
    }

    /// The record of a request of this process, if the server keeps one.
    fn record(&self, request: &Request) -> Option<Record> {
        let audit = self.audit.as_ref()?;
        let Request { user, target, action } = request;
        let seen = Seen::of(target, action.list_options());
        let attributes = seen.attributes_of(user, action.verb().as_str());
        let origin = Origin { uri: key_path(&target.key()), ..Origin::default() };
        Record::begin(audit, &attributes, &origin, &self.env().uuid(), self.env())
    }

    /// A tower service that answers HTTP requests with any kind of body.
    #[must_use]
    pub fn service(self: &Arc<Self>) -> Service {
        Service::new(self.clone())
    }

    /// Reads and watches the server's own objects, without a user.
    #[must_use]
    pub fn objects(&self) -> &Loopback {
        &self.handler.registry.objects
    }

    /// What decides who is served when not all can be.
    #[must_use]
    pub fn flow_control(&self) -> &Arc<FlowControl> {
        &self.handler.flow
    }

    /// Time and chance, as the server has them.
    #[must_use]
    pub fn env(&self) -> &Env {
        &self.handler.registry.env
    }

    /// Says from now on that it is not ready, so that load balancers turn away from it. All else goes on.
    pub fn announce_end(&self) {
        self.stopping.cancel();
    }

    /// Ends all watches, and begins no new ones. Other requests are still answered.
    pub fn close(&self) {
        self.stopping.cancel();
        self.shutdown.cancel();
    }
}

/// The end of a watch, noted when it is dropped.
struct Ended(Record);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.complete(200, None);
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        // A stream may outlive the server it came from.
        self.shutdown.cancel();
    }
}
