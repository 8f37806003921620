//! The CSI drivers of this node: what they can do, and what the API shows of them.

mod shown;

pub(crate) use super::proto::csi::node_service_capability::rpc::Type as Capability;

use super::proto::csi::node_client::NodeClient;
use super::proto::csi::node_service_capability::Type;
use super::proto::csi::{NodeGetCapabilitiesRequest, NodeGetInfoRequest, NodeGetInfoResponse};
use super::{connect, refusal};
use parking_lot::Mutex;
use shown::Shown;
use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tonic::transport::Channel;
use windlass_core::client::Client;

/// How long a driver may take for anything it is asked.
const ANSWER: Duration = Duration::from_secs(120);

/// All drivers that are registered.
pub(crate) struct Drivers {
    shown: Shown,
    all: Mutex<BTreeMap<String, Arc<Driver>>>,
}

/// One of them.
pub(crate) struct Driver {
    client: NodeClient<Channel>,
    capabilities: HashSet<i32>,
}

// === impl Drivers ===

impl Drivers {
    pub(crate) fn new(client: Arc<dyn Client>, node: &str) -> Self {
        Self { shown: Shown { client, node: node.to_owned() }, all: Mutex::default() }
    }

    /// A driver that listens on a socket: from now on volumes of it can be mounted, and the API shows it.
    ///
    /// # Errors
    /// What it, or the API server, says.
    pub(crate) async fn add(&self, name: &str, endpoint: &Path) -> Result<(), String> {
        let mut client = NodeClient::new(connect(endpoint, ANSWER).await?);
        let info = client.node_get_info(NodeGetInfoRequest {}).await;
        let info: NodeGetInfoResponse = info.map_err(|status| refusal(&status))?.into_inner();
        let can = client.node_get_capabilities(NodeGetCapabilitiesRequest {}).await;
        let can = can.map_err(|status| refusal(&status))?.into_inner().capabilities;
        let rpcs = can
            .into_iter()
            .filter_map(|capability| capability.r#type.map(|Type::Rpc(rpc)| rpc.r#type));
        let driver = Driver { client, capabilities: rpcs.collect() };
        self.shown.add(name, &info).await.map_err(|error| error.to_string())?;
        self.all.lock().insert(name.to_owned(), Arc::new(driver));
        tracing::info!(driver = name, "CSI driver registered");
        Ok(())
    }

    /// A driver is gone. What it has mounted stays, until it is back to unmount it.
    pub(crate) async fn remove(&self, name: &str) {
        self.all.lock().remove(name);
        if let Err(error) = self.shown.remove(name).await {
            tracing::warn!(driver = name, %error, "the API still shows a driver that is gone");
        }
    }

    /// The one of this name.
    ///
    /// # Errors
    /// When it is not registered.
    pub(crate) fn get(&self, name: &str) -> Result<Arc<Driver>, String> {
        let missing =
            || format!("driver name {name} not found in the list of registered CSI drivers");
        self.all.lock().get(name).cloned().ok_or_else(missing)
    }
}

// === impl Driver ===

impl Driver {
    /// Whether it can.
    pub(crate) fn can(&self, what: Capability) -> bool {
        self.capabilities.contains(&(what as i32))
    }

    /// To ask it. All share one connection.
    pub(crate) fn client(&self) -> NodeClient<Channel> {
        self.client.clone()
    }
}
