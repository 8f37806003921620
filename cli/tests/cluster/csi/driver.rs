//! The driver.

use crate::support::Result;
use parking_lot::Mutex;
use rustix::mount::{UnmountFlags, mount_bind, unmount};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::net::UnixListener;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status};
use windlass_agent::plugins::proto::csi::node_server::{Node, NodeServer};
use windlass_agent::plugins::proto::csi::node_service_capability::{Rpc, Type, rpc};
use windlass_agent::plugins::proto::csi::*;
use windlass_agent::plugins::proto::registration::registration_server::{
    Registration, RegistrationServer,
};
use windlass_agent::plugins::proto::registration::{
    InfoRequest, PluginInfo, RegistrationStatus, RegistrationStatusResponse,
};

/// What it was asked, in order.
type Said = Arc<Mutex<Vec<(String, Value)>>>;

#[derive(Clone)]
pub(super) struct Driver {
    said: Said,
    folder: Arc<tempfile::TempDir>,
}

type Answer<T> = std::result::Result<Response<T>, Status>;

impl Driver {
    /// Listens on a socket in the folder where an agent looks for plugins.
    pub(super) fn start(agent: &Path) -> Result<Self> {
        let driver = Self { said: Said::default(), folder: Arc::new(tempfile::tempdir()?) };
        let registry = agent.join("plugins_registry");
        std::fs::create_dir_all(&registry)?;
        let listener = UnixListener::bind(registry.join("test-reg.sock"))?;
        let server = Server::builder()
            .add_service(NodeServer::new(driver.clone()))
            .add_service(RegistrationServer::new(driver.clone()))
            .serve_with_incoming(UnixListenerStream::new(listener));
        tokio::spawn(server);
        Ok(driver)
    }

    pub(super) fn said(&self) -> Vec<(String, Value)> {
        self.said.lock().clone()
    }

    /// Where a volume's files are.
    pub(super) fn backing(&self, volume: &str) -> Result<PathBuf> {
        let folder = self.folder.path().join(volume);
        std::fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    fn note(&self, call: &str, told: Value) {
        self.said.lock().push((call.to_owned(), told));
    }

    fn bind(&self, source: &Path, target: &str) -> std::result::Result<(), Status> {
        std::fs::create_dir_all(target)?;
        let there = std::fs::read_to_string("/proc/self/mountinfo")?;
        if !there.lines().any(|line| line.split(' ').nth(4) == Some(target)) {
            mount_bind(source, target).map_err(|e| Status::internal(e.to_string()))?;
        }
        Ok(())
    }

    fn unbind(&self, target: &str) -> std::result::Result<(), Status> {
        match unmount(target, UnmountFlags::empty()) {
            Ok(()) => Ok(std::fs::remove_dir(target)?),
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOENT) => Ok(()),
            Err(error) => Err(Status::internal(error.to_string())),
        }
    }
}

#[tonic::async_trait]
impl Registration for Driver {
    async fn get_info(&self, _: Request<InfoRequest>) -> Answer<PluginInfo> {
        Ok(Response::new(PluginInfo {
            r#type: "CSIPlugin".into(),
            name: "test.windlass.io".into(),
            endpoint: String::new(),
            supported_versions: vec!["1.0.0".into()],
        }))
    }

    async fn notify_registration_status(
        &self,
        request: Request<RegistrationStatus>,
    ) -> Answer<RegistrationStatusResponse> {
        let status = request.into_inner();
        self.note("registered", json!({"ok": status.plugin_registered, "error": status.error}));
        Ok(Response::new(RegistrationStatusResponse {}))
    }
}

#[tonic::async_trait]
impl Node for Driver {
    async fn node_get_info(&self, _: Request<NodeGetInfoRequest>) -> Answer<NodeGetInfoResponse> {
        let zone = ("topology.test.windlass.io/zone".to_owned(), "z1".to_owned());
        Ok(Response::new(NodeGetInfoResponse {
            node_id: "id-of-node".into(),
            max_volumes_per_node: 7,
            accessible_topology: Some(Topology { segments: [zone].into() }),
        }))
    }

    async fn node_get_capabilities(
        &self,
        _: Request<NodeGetCapabilitiesRequest>,
    ) -> Answer<NodeGetCapabilitiesResponse> {
        let all =
            [rpc::Type::StageUnstageVolume, rpc::Type::ExpandVolume, rpc::Type::GetVolumeStats];
        let capability = |what: rpc::Type| NodeServiceCapability {
            r#type: Some(Type::Rpc(Rpc { r#type: what.into() })),
        };
        let capabilities = all.map(capability).to_vec();
        Ok(Response::new(NodeGetCapabilitiesResponse { capabilities }))
    }

    async fn node_stage_volume(
        &self,
        request: Request<NodeStageVolumeRequest>,
    ) -> Answer<NodeStageVolumeResponse> {
        let request = request.into_inner();
        let volume = &request.volume_id;
        self.note("stage", json!({"volume": volume, "secrets": request.secrets, "context": request.volume_context}));
        let source = self.backing(volume).map_err(|e| Status::internal(e.to_string()))?;
        self.bind(&source, &request.staging_target_path)?;
        Ok(Response::new(NodeStageVolumeResponse {}))
    }

    async fn node_publish_volume(
        &self,
        request: Request<NodePublishVolumeRequest>,
    ) -> Answer<NodePublishVolumeResponse> {
        let request = request.into_inner();
        let volume = &request.volume_id;
        self.note("publish", json!({"volume": volume, "context": request.volume_context}));
        let source = match request.staging_target_path.as_str() {
            "" => self.backing(volume).map_err(|e| Status::internal(e.to_string()))?,
            staged => PathBuf::from(staged),
        };
        self.bind(&source, &request.target_path)?;
        Ok(Response::new(NodePublishVolumeResponse {}))
    }

    async fn node_unpublish_volume(
        &self,
        request: Request<NodeUnpublishVolumeRequest>,
    ) -> Answer<NodeUnpublishVolumeResponse> {
        let request = request.into_inner();
        self.note("unpublish", json!({"volume": request.volume_id}));
        self.unbind(&request.target_path)?;
        Ok(Response::new(NodeUnpublishVolumeResponse {}))
    }

    async fn node_unstage_volume(
        &self,
        request: Request<NodeUnstageVolumeRequest>,
    ) -> Answer<NodeUnstageVolumeResponse> {
        let request = request.into_inner();
        self.note("unstage", json!({"volume": request.volume_id}));
        self.unbind(&request.staging_target_path)?;
        Ok(Response::new(NodeUnstageVolumeResponse {}))
    }

    async fn node_expand_volume(
        &self,
        request: Request<NodeExpandVolumeRequest>,
    ) -> Answer<NodeExpandVolumeResponse> {
        let range = request.into_inner().capacity_range.unwrap_or_default();
        self.note("expand", json!({"bytes": range.required_bytes}));
        Ok(Response::new(NodeExpandVolumeResponse { capacity_bytes: range.required_bytes }))
    }

    async fn node_get_volume_stats(
        &self,
        _: Request<NodeGetVolumeStatsRequest>,
    ) -> Answer<NodeGetVolumeStatsResponse> {
        let unit = volume_usage::Unit::Bytes.into();
        let usage = VolumeUsage { available: 60, total: 100, used: 40, unit };
        Ok(Response::new(NodeGetVolumeStatsResponse { usage: vec![usage] }))
    }
}
