//! One device plugin, asked.

use super::checkpoint::Given;
use crate::plugins::proto::device::device_plugin_client::DevicePluginClient;
use crate::plugins::proto::device::{
    AllocateRequest, ContainerAllocateRequest, ContainerAllocateResponse,
    ContainerPreferredAllocationRequest, DevicePluginOptions, Empty, ListAndWatchResponse,
    PreStartContainerRequest, PreferredAllocationRequest,
};
use crate::plugins::{connect, refusal};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tonic::Streaming;
use tonic::transport::Channel;

/// How long a plugin may take to answer; the kubelet gives it as long to prepare a start.
const ANSWER: Duration = Duration::from_secs(30);

/// Cheap to clone; all clones are one.
#[derive(Clone)]
pub(super) struct Plugin {
    client: DevicePluginClient<Channel>,
    options: Arc<DevicePluginOptions>,
}

/// What it tells of its devices, each time all of them.
pub(super) type Told = Streaming<ListAndWatchResponse>;

/// The next that is told; none when it is gone.
pub(super) async fn next(told: &mut Told) -> Option<BTreeMap<String, bool>> {
    let devices = match told.message().await {
        Ok(list) => list?.devices,
        Err(status) => {
            tracing::debug!(error = refusal(&status), "a device plugin ended");
            return None;
        }
    };
    Some(devices.into_iter().map(|device| (device.id, device.health == "Healthy")).collect())
}

// === impl Plugin ===

impl Plugin {
    pub(super) async fn connect(
        socket: &Path,
        options: DevicePluginOptions,
    ) -> Result<Self, String> {
        let client = DevicePluginClient::new(connect(socket, ANSWER).await?);
        Ok(Self { client, options: Arc::new(options) })
    }

    /// Whether both are the same one.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.options, &other.options)
    }

    pub(super) async fn watch(&self) -> Result<Told, String> {
        answered(self.client.clone().list_and_watch(Empty {})).await
    }

    /// Which of the free devices to take beside those that must be taken.
    pub(super) async fn prefer(
        &self,
        must: Vec<String>,
        free: Vec<String>,
        count: usize,
    ) -> Result<Vec<String>, String> {
        if !self.options.get_preferred_allocation_available || must.len() == count {
            return Ok(must.into_iter().chain(free).take(count).collect());
        }
        let available: Vec<_> = must.iter().chain(&free).cloned().collect();
        let request = PreferredAllocationRequest {
            container_requests: vec![ContainerPreferredAllocationRequest {
                available_device_ids: available.clone(),
                must_include_device_ids: must.clone(),
                allocation_size: i32::try_from(count).unwrap_or(i32::MAX),
            }],
        };
        let answer = answered(self.client.clone().get_preferred_allocation(request)).await?;
        let liked = answer.container_responses.into_iter().flat_map(|one| one.device_ids);
        // It is a wish: what can't be is passed over, what lacks is filled up.
        let mut ids = must;
        for id in liked.chain(free) {
            if ids.len() < count && available.contains(&id) && !ids.contains(&id) {
                ids.push(id);
            }
        }
        Ok(ids)
    }

    pub(super) async fn allocate(&self, ids: &[String]) -> Result<Given, String> {
        let request = AllocateRequest {
            container_requests: vec![ContainerAllocateRequest { device_ids: ids.to_vec() }],
        };
        let answer = answered(self.client.clone().allocate(request)).await?;
        let one = answer.container_responses.into_iter().next();
        one.map(given).ok_or_else(|| "the device plugin gives nothing".into())
    }

    /// Lets it prepare a start, if it wants that.
    pub(super) async fn pre_start(&self, ids: &[String]) -> Result<(), String> {
        if !self.options.pre_start_required {
            return Ok(());
        }
        let request = PreStartContainerRequest { device_ids: ids.to_vec() };
        answered(self.client.clone().pre_start_container(request)).await.map(drop)
    }
}

async fn answered<T>(
    asked: impl Future<Output = Result<tonic::Response<T>, tonic::Status>>,
) -> Result<T, String> {
    asked.await.map(tonic::Response::into_inner).map_err(|status| refusal(&status))
}

fn given(said: ContainerAllocateResponse) -> Given {
    let mounts = said.mounts.into_iter().map(|m| (m.host_path, m.container_path, m.read_only));
    let nodes = said.devices.into_iter().map(|d| (d.host_path, d.container_path, d.permissions));
    Given {
        env: said.envs,
        mounts: mounts.collect(),
        nodes: nodes.collect(),
        annotations: said.annotations,
    }
}
