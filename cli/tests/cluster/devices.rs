//! A device plugin that runs in the test: two devices, of which one works.

use crate::support::{Result, Scene};
use futures::StreamExt;
use futures::stream::BoxStream;
use kube::api::{Api, DeleteParams, PostParams};
use kube::runtime::wait::await_condition;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::UnixListener;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::{Endpoint, Server};
use tonic::{Request, Response, Status};
use windlass_agent::plugins::proto::device::device_plugin_server::{
    DevicePlugin, DevicePluginServer,
};
use windlass_agent::plugins::proto::device::registration_client::RegistrationClient;
use windlass_agent::plugins::proto::device::*;
use windlass_core::apis::core::v1::{Node, Pod};

const DEADLINE: Duration = Duration::from_secs(60);
const RESOURCE: &str = "windlass.io/test";

#[derive(Clone)]
struct Plugin {
    /// Shown to containers.
    folder: PathBuf,
}

type Answer<T> = std::result::Result<Response<T>, Status>;

#[tonic::async_trait]
impl DevicePlugin for Plugin {
    type ListAndWatchStream = BoxStream<'static, std::result::Result<ListAndWatchResponse, Status>>;

    async fn get_device_plugin_options(&self, _: Request<Empty>) -> Answer<DevicePluginOptions> {
        Ok(Response::new(options()))
    }

    async fn list_and_watch(&self, _: Request<Empty>) -> Answer<Self::ListAndWatchStream> {
        let device = |(id, health): (&str, &str)| Device {
            id: id.into(),
            health: health.into(),
            topology: None,
        };
        let devices = [("d1", "Healthy"), ("d2", "Healthy"), ("d3", "Unhealthy")].map(device);
        let list = ListAndWatchResponse { devices: devices.to_vec() };
        let told = futures::stream::once(async { Ok(list) });
        Ok(Response::new(told.chain(futures::stream::pending()).boxed()))
    }

    async fn get_preferred_allocation(
        &self,
        _: Request<PreferredAllocationRequest>,
    ) -> Answer<PreferredAllocationResponse> {
        let ids = vec!["d2".to_owned()];
        let one = ContainerPreferredAllocationResponse { device_ids: ids };
        Ok(Response::new(PreferredAllocationResponse { container_responses: vec![one] }))
    }

    async fn allocate(&self, request: Request<AllocateRequest>) -> Answer<AllocateResponse> {
        let ids = request.into_inner().container_requests.remove(0).device_ids;
        let mount = Mount {
            container_path: "/given".into(),
            host_path: self.folder.display().to_string(),
            read_only: true,
        };
        let node = DeviceSpec {
            container_path: "/dev/given".into(),
            host_path: "/dev/fuse".into(),
            permissions: "r".into(),
        };
        let one = ContainerAllocateResponse {
            envs: [("GIVEN".to_owned(), ids.join(","))].into(),
            mounts: vec![mount],
            devices: vec![node],
            ..ContainerAllocateResponse::default()
        };
        Ok(Response::new(AllocateResponse { container_responses: vec![one] }))
    }

    async fn pre_start_container(
        &self,
        request: Request<PreStartContainerRequest>,
    ) -> Answer<PreStartContainerResponse> {
        let ids = request.into_inner().device_ids.join(",");
        std::fs::write(self.folder.join("prepared"), ids)?;
        Ok(Response::new(PreStartContainerResponse {}))
    }
}

fn options() -> DevicePluginOptions {
    DevicePluginOptions { pre_start_required: true, get_preferred_allocation_available: true }
}

impl Plugin {
    /// Listens in the folder where the agent looks for it.
    fn start(&self, devices: &Path) -> Result<()> {
        let listener = UnixListener::bind(devices.join("test.sock"))?;
        let server = Server::builder()
            .add_service(DevicePluginServer::new(self.clone()))
            .serve_with_incoming(UnixListenerStream::new(listener));
        tokio::spawn(server);
        Ok(())
    }
}

async fn register(devices: &Path) -> Result<()> {
    let socket = format!("unix:{}", devices.join("kubelet.sock").display());
    let mut agent = RegistrationClient::new(Endpoint::from_shared(socket)?.connect().await?);
    let request = |version: &str| RegisterRequest {
        version: version.into(),
        endpoint: "test.sock".into(),
        resource_name: RESOURCE.into(),
        options: Some(options()),
    };
    assert!(agent.register(request("v1alpha")).await.is_err(), "an old version");
    agent.register(request("v1beta1")).await?;
    Ok(())
}

async fn node_has(client: &kube::Client, capacity: &str, allocatable: &str) -> Result<()> {
    let nodes = Api::<Node>::all(client.clone());
    let name = nodes.list(&Default::default()).await?.items.remove(0).metadata.name;
    let has = |node: Option<&Node>| {
        let Some(status) = node.and_then(|node| node.status.as_ref()) else { return false };
        let amount = |of: &Option<std::collections::BTreeMap<String, _>>| {
            let found: Option<&windlass_core::apis::Quantity> = of.as_ref()?.get(RESOURCE);
            found.map(|quantity| quantity.0.clone())
        };
        amount(&status.capacity).as_deref() == Some(capacity)
            && amount(&status.allocatable).as_deref() == Some(allocatable)
    };
    let name = name.unwrap_or_default();
    let seen = await_condition(nodes, &name, has);
    let late = |_| format!("the node has not {capacity} devices of which {allocatable} work");
    tokio::time::timeout(DEADLINE, seen).await.map_err(late)??;
    Ok(())
}

/// A pod that ends when it sees what it was given, and says which.
async fn run(client: &kube::Client, name: &str, count: u32, then: &str) -> Result<()> {
    let script = format!(
        "test -c /dev/given && true </dev/given && ! true >/dev/given && \
         test \"$GIVEN\" = \"$(cat /given/prepared)\" && echo \"$GIVEN\" >/dev/termination-log && {then}"
    );
    let pod: Pod = serde_json::from_value(json!({
        "metadata": {"name": name},
        "spec": {"terminationGracePeriodSeconds": 1, "restartPolicy": "Never", "containers": [{
            "name": "c", "image": "docker.io/library/busybox:windlass", "command": ["sh", "-c", script],
            "resources": {"limits": {RESOURCE: count.to_string()}}}]}}))?;
    Api::<Pod>::namespaced(client.clone(), "default").create(&PostParams::default(), &pod).await?;
    Ok(())
}

/// What a pod said at its end.
async fn last_words(client: &kube::Client, name: &str) -> Result<String> {
    let pods = Api::<Pod>::namespaced(client.clone(), "default");
    let ended = |pod: &Pod| {
        let status = pod.status.as_ref()?.container_statuses.as_ref()?.first()?.clone();
        status.state?.terminated
    };
    let over = |pod: Option<&Pod>| pod.and_then(ended).is_some();
    let waited = tokio::time::timeout(DEADLINE, await_condition(pods.clone(), name, over)).await;
    waited.map_err(|_| format!("{name} does not end"))??;
    let ended = ended(&pods.get(name).await?).ok_or("it has ended")?;
    if ended.exit_code != 0 {
        return Err(format!("{name}: {ended:?}").into());
    }
    Ok(ended.message.unwrap_or_default().trim().to_owned())
}

#[test]
fn devices_are_given_to_containers_and_taken_back() -> Result<()> {
    Scene::play("devices", async |scene| {
        if !scene.has_node() {
            println!("SKIP devices_are_given_to_containers_and_taken_back: a node needs root");
            return Ok(());
        }
        let cluster = scene.start()?;
        let client = scene.client().await?;
        let devices = scene.data_dir().join("agent/device-plugins");
        let shown = tempfile::tempdir()?;
        let plugin = Plugin { folder: shown.path().to_path_buf() };
        plugin.start(&devices)?;
        register(&devices).await?;
        node_has(&client, "3", "2").await?;
        scene.run_shell(&client, "image", "true").await?;
        run(&client, "liked", 1, "while :; do sleep 1; done").await?;
        scene.wait_ready(&client, "liked").await?;
        run(&client, "other", 1, "true").await?;
        assert_eq!(last_words(&client, "other").await?, "d1", "the other one is taken");
        run(&client, "both", 2, "true").await?;
        cluster.kill()?;
        let cluster = scene.start()?;
        // The agent has taken the sockets away: plugins come again.
        plugin.start(&devices)?;
        register(&devices).await?;
        node_has(&client, "3", "2").await?;
        run(&client, "after", 1, "true").await?;
        assert_eq!(last_words(&client, "after").await?, "d1", "what was given stays given");
        let pods = Api::<Pod>::namespaced(client.clone(), "default");
        for pod in ["other", "after", "liked"] {
            pods.delete(pod, &DeleteParams::default()).await?;
        }
        assert_eq!(last_words(&client, "both").await?.len(), "d1,d2".len());
        for pod in ["both", "image"] {
            scene.delete_pod(&client, pod).await?;
        }
        cluster.stop()
    })
}
