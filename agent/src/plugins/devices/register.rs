//! The socket on which device plugins register: `kubelet.sock`. That it comes anew tells them to register again.

use super::Devices;
use crate::changes::Persistence;
use crate::plugins::proto::device::registration_server::{Registration, RegistrationServer};
use crate::plugins::proto::device::{Empty, RegisterRequest};
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UnixListener;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status};
use windlass_core::component::Shutdown;
use windlass_core::workqueue::Backoff;

const SOCKET: &str = "kubelet.sock";
const VERSION: &str = "v1beta1";
/// When to listen again after that failed.
const AGAIN: Backoff = Backoff { first: Duration::from_millis(500), max: Duration::from_secs(60) };

/// Takes registrations.
pub(crate) struct DeviceServer(pub(crate) Arc<Devices>);

// === impl DeviceServer ===

impl DeviceServer {
    /// Serves until shutdown, also when it can't listen for a while.
    pub(crate) async fn run(self, shutdown: Shutdown) {
        let trouble = format!("device plugins can't register in {}", self.0.folder.display());
        let mut persistence = Persistence::new(trouble, AGAIN);
        let serving = async {
            loop {
                persistence.after(self.serve().await).await;
            }
        };
        shutdown.run_until_cancelled(serving).await;
    }

    async fn serve(&self) -> io::Result<()> {
        let incoming = UnixListenerStream::new(listen(&self.0.folder)?);
        let service = RegistrationServer::new(Self(self.0.clone()));
        let served = Server::builder().add_service(service).serve_with_incoming(incoming).await;
        served.map_err(io::Error::other)
    }
}

/// Takes sockets of before away: whoever listened there has to register again.
fn listen(folder: &Path) -> io::Result<UnixListener> {
    std::fs::create_dir_all(folder)?;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_socket() {
            std::fs::remove_file(entry.path())?;
        }
    }
    UnixListener::bind(folder.join(SOCKET))
}

/// An extended resource: `example.com/gpu`.
fn is_extended(name: &str) -> bool {
    let parts = name.split_once('/');
    parts.is_some_and(|(domain, name)| {
        !name.is_empty() && !domain.is_empty() && !domain.ends_with("kubernetes.io")
    })
}

#[tonic::async_trait]
impl Registration for DeviceServer {
    async fn register(&self, request: Request<RegisterRequest>) -> Result<Response<Empty>, Status> {
        let request = request.into_inner();
        if request.version != VERSION {
            let why = format!("requested API version {:?} is not supported", request.version);
            return Err(Status::invalid_argument(why));
        }
        if !is_extended(&request.resource_name) {
            let why = format!("invalid extended resource name {:?}", request.resource_name);
            return Err(Status::invalid_argument(why));
        }
        // It stays inside the folder.
        let endpoint = Path::new(&request.endpoint);
        if request.endpoint.is_empty() || endpoint.file_name() != Some(endpoint.as_os_str()) {
            let why = format!("invalid endpoint {:?}", request.endpoint);
            return Err(Status::invalid_argument(why));
        }
        let (devices, socket) = (self.0.clone(), self.0.folder.join(endpoint));
        let options = request.options.unwrap_or_default();
        // A plugin may wait for this answer before it listens.
        tokio::spawn(async move {
            let resource = request.resource_name;
            if let Err(error) = devices.add(resource.clone(), socket, options).await {
                tracing::warn!(resource, error, "a device plugin can't be asked");
            }
        });
        Ok(Response::new(Empty {}))
    }
}
