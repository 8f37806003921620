//! The connection to containerd: one channel, and clients of its services that name the namespace and a lease.

use crate::runtime::{Error, Result};
use containerd_client::services::v1::containers_client::ContainersClient;
use containerd_client::services::v1::content_client::ContentClient;
use containerd_client::services::v1::diff_client::DiffClient;
use containerd_client::services::v1::events_client::EventsClient;
use containerd_client::services::v1::images_client::ImagesClient;
use containerd_client::services::v1::introspection_client::IntrospectionClient;
use containerd_client::services::v1::leases_client::LeasesClient;
use containerd_client::services::v1::snapshots::snapshots_client::SnapshotsClient;
use containerd_client::services::v1::tasks_client::TasksClient;
use containerd_client::services::v1::version_client::VersionClient;
use std::path::Path;
use std::time::Duration;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status};

/// How long containerd may take for anything. Its own shims have less.
pub(super) const DEADLINE: Duration = Duration::from_secs(120);

/// A channel with the namespace's name.
pub(super) type Service = InterceptedService<Channel, Headers>;

/// The connection. Cheap to clone.
#[derive(Clone)]
pub(super) struct Connection {
    channel: Channel,
    headers: Headers,
}

/// What every request carries.
#[derive(Clone)]
pub(super) struct Headers {
    namespace: MetadataValue<Ascii>,
    lease: Option<MetadataValue<Ascii>>,
}

macro_rules! services {
    ($($name:ident: $client:ident,)*) => {
        $(pub(super) fn $name(&self) -> $client<Service> {
            $client::with_interceptor(self.channel.clone(), self.headers.clone())
        })*
    };
}

// === impl Connection ===

impl Connection {
    pub(super) async fn open(address: &Path, namespace: &str) -> Result<Self> {
        let failed = |e: &dyn std::error::Error| {
            let why = e.source().map_or_else(|| e.to_string(), ToString::to_string);
            Error::Failed(format!("containerd at {}: {why}", address.display()))
        };
        let connect = containerd_client::connect(address);
        let channel = tokio::time::timeout(DEADLINE, connect)
            .await
            .map_err(|e| failed(&e))?
            .map_err(|e| failed(&e))?;
        Ok(Self { channel, headers: Headers { namespace: value(namespace)?, lease: None } })
    }

    /// The same, for a client that holds a lease: what it makes is not collected while the lease lasts.
    pub(super) fn with_lease(&self, lease: &str) -> Result<Self> {
        let headers = Headers { lease: Some(value(lease)?), ..self.headers.clone() };
        Ok(Self { channel: self.channel.clone(), headers })
    }

    services! {
        containers: ContainersClient,
        content: ContentClient,
        diffs: DiffClient,
        events: EventsClient,
        images: ImagesClient,
        introspection: IntrospectionClient,
        leases: LeasesClient,
        snapshots: SnapshotsClient,
        tasks: TasksClient,
        version: VersionClient,
    }
}

impl tonic::service::Interceptor for Headers {
    fn call(&mut self, mut request: Request<()>) -> std::result::Result<Request<()>, Status> {
        request.metadata_mut().insert("containerd-namespace", self.namespace.clone());
        if let Some(lease) = &self.lease {
            request.metadata_mut().insert("containerd-lease", lease.clone());
        }
        Ok(request)
    }
}

/// Waits for an answer.
///
/// # Errors
/// [`Error::NotFound`] when containerd says so; else in its words.
pub(super) async fn call<T>(
    what: &str,
    request: impl Future<Output = std::result::Result<Response<T>, Status>>,
) -> Result<T> {
    match tokio::time::timeout(DEADLINE, request).await {
        Ok(Ok(response)) => Ok(response.into_inner()),
        Ok(Err(status)) => Err(error(what, &status)),
        Err(_) => Err(Error::Failed(format!("{what}: containerd does not answer"))),
    }
}

/// As [`call`], when what is asked for may have been done by somebody else (`code`): then `None`.
pub(super) async fn call_unless<T>(
    code: Code,
    what: &str,
    request: impl Future<Output = std::result::Result<Response<T>, Status>>,
) -> Result<Option<T>> {
    match tokio::time::timeout(DEADLINE, request).await {
        Ok(Ok(response)) => Ok(Some(response.into_inner())),
        Ok(Err(status)) if status.code() == code => Ok(None),
        Ok(Err(status)) => Err(error(what, &status)),
        Err(_) => Err(Error::Failed(format!("{what}: containerd does not answer"))),
    }
}

pub(super) fn error(what: &str, status: &Status) -> Error {
    match status.code() {
        Code::NotFound => Error::NotFound(format!("{what}: {}", status.message())),
        _ => Error::Failed(format!("{what}: {}", status.message())),
    }
}

fn value(text: &str) -> Result<MetadataValue<Ascii>> {
    text.parse().map_err(|_| Error::Invalid(format!("\"{text}\" is not a name for containerd")))
}
