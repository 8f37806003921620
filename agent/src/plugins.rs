//! Programs beside the agent that add to it, over gRPC on sockets of this machine: CSI drivers and device plugins.
//!
//! ```text
//! <root>/plugins_registry/*.sock ─ registry: GetInfo ─ csi::Drivers ─ CSINode, Node
//! <root>/device-plugins/kubelet.sock ─ Register ─ devices::Devices ─ capacity of the Node, starts of containers
//! ```

pub(crate) mod csi;
pub(crate) mod devices;
pub(crate) mod registry;

use std::path::Path;
use std::time::Duration;
use tonic::transport::{Channel, Endpoint};

/// The messages and services, as plugins speak them: for tests, and for plugins in Rust.
#[expect(clippy::pedantic, missing_docs, reason = "generated")]
pub mod proto {
    pub mod csi {
        tonic::include_proto!("csi.v1");
    }
    pub mod registration {
        tonic::include_proto!("pluginregistration");
    }
    pub mod device {
        tonic::include_proto!("v1beta1");
    }
}

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);

/// A connection to a plugin's socket. `within` is how long each answer may take.
async fn connect(socket: &Path, within: Duration) -> Result<Channel, String> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", socket.display());
    let endpoint = Endpoint::from_shared(format!("unix:{}", socket.display()));
    let endpoint = endpoint.map_err(|error| failed(&error))?;
    let endpoint = endpoint.connect_timeout(CONNECT).timeout(within);
    endpoint.connect().await.map_err(|error| failed(&error))
}

/// What a plugin says instead of doing what it was asked, as the kubelet writes it.
pub(crate) fn refusal(status: &tonic::Status) -> String {
    format!("rpc error: code = {:?} desc = {}", status.code(), status.message())
}
