//! Volumes of a CSI driver that runs in the test: folders that are bound to where they are wanted.

mod driver;

use crate::support::{Result, Running, Scene};
use driver::Driver;
use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::runtime::wait::await_condition;
use serde_json::{Value, json};
use std::time::Duration;
use windlass_core::apis::core::v1::{Node, PersistentVolumeClaim, Pod};
use windlass_core::apis::storage::v1::CSINode;

const DEADLINE: Duration = Duration::from_secs(60);
const SCRIPT: &str =
    "cat /pv/hello && echo out > /pv/out && echo own > /own/file && while :; do sleep 1; done";

#[test]
fn volumes_of_a_driver_outlive_the_agent_and_leave_nothing() -> Result<()> {
    Scene::play("csi", async |scene| {
        if !scene.has_node() {
            println!(
                "SKIP volumes_of_a_driver_outlive_the_agent_and_leave_nothing: a node needs root"
            );
            return Ok(());
        }
        let cluster = scene.start()?;
        let client = scene.client().await?;
        let driver = Driver::start(&scene.data_dir().join("agent"))?;
        std::fs::write(driver.backing("v1")?.join("hello"), "hello\n")?;
        registered(&client).await?;
        make_objects(&client).await?;
        scene.run_shell(&client, "image", "true").await?;
        ready(&client).await?;
        assert_eq!(std::fs::read_to_string(driver.backing("v1")?.join("out"))?, "out\n");
        mounted_right(&driver)?;
        in_use(&client, 1).await?;
        grow(&client, &driver).await?;
        let cluster = restarted(scene, cluster)?;
        ready(&client).await?;
        registered(&client).await?;
        scene.delete_pod(&client, "user").await?;
        let said = driver.said();
        let mut last: Vec<_> = said
            .iter()
            .map(|(call, _)| call.as_str())
            .filter(|call| call.starts_with("un"))
            .collect();
        // In no order among volumes.
        last.sort_unstable();
        assert_eq!(last, ["unpublish", "unpublish", "unstage"], "{said:#?}");
        in_use(&client, 0).await?;
        let mounts = std::fs::read_to_string("/proc/self/mountinfo")?;
        let left = |line: &&str| line.contains("kubernetes.io~csi") || line.contains("globalmount");
        let here = scene.data_dir().display().to_string();
        let left: Vec<_> =
            mounts.lines().filter(left).filter(|line| line.contains(&here)).collect();
        assert!(left.is_empty(), "{left:?}");
        let staged = scene.data_dir().join("agent/plugins/kubernetes.io/csi/test.windlass.io");
        assert_eq!(std::fs::read_dir(staged)?.count(), 0, "what was staged is gone");
        scene.delete_pod(&client, "image").await?;
        cluster.stop()
    })
}

/// The pod has written to its volumes.
async fn ready(client: &kube::Client) -> Result<()> {
    let pods = Api::<Pod>::namespaced(client.clone(), "default");
    let ready = |pod: Option<&Pod>| {
        let status = pod.and_then(|pod| pod.status.as_ref());
        let mut conditions =
            status.into_iter().flat_map(|status| status.conditions.iter().flatten());
        conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True")
    };
    let seen = tokio::time::timeout(DEADLINE, await_condition(pods, "user", ready)).await;
    seen.map_err(|_| "the pod is not ready")??;
    Ok(())
}

fn restarted(scene: &Scene, cluster: Running) -> Result<Running> {
    cluster.kill()?;
    scene.start()
}

/// The API shows the driver.
async fn registered(client: &kube::Client) -> Result<()> {
    let nodes = Api::<Node>::all(client.clone());
    let name = nodes.list(&Default::default()).await?.items.remove(0).metadata.name;
    let name = name.ok_or("a node without a name")?;
    let shown = |node: Option<&CSINode>| {
        let drivers = node.map(|node| node.spec.drivers.as_slice()).unwrap_or_default();
        drivers.iter().any(|driver| {
            driver.name == "test.windlass.io"
                && driver.node_id == "id-of-node"
                && driver.topology_keys == Some(vec!["topology.test.windlass.io/zone".into()])
                && driver.allocatable.as_ref().and_then(|all| all.count) == Some(7)
        })
    };
    let all = Api::<CSINode>::all(client.clone());
    let seen = tokio::time::timeout(DEADLINE, await_condition(all, &name, shown)).await;
    seen.map_err(|_| "the driver is not shown")??;
    let node = nodes.get(&name).await?;
    let labels = node.metadata.labels.unwrap_or_default();
    assert_eq!(labels.get("topology.test.windlass.io/zone").map(String::as_str), Some("z1"));
    let ids = node.metadata.annotations.unwrap_or_default();
    let ids = ids.get("csi.volume.kubernetes.io/nodeid").cloned();
    assert_eq!(ids.as_deref(), Some(r#"{"test.windlass.io":"id-of-node"}"#));
    Ok(())
}

async fn make(client: &kube::Client, object: Value) -> Result<()> {
    let object: DynamicObject = serde_json::from_value(object)?;
    let types = object.types.clone().ok_or("a kind")?;
    let resource = ApiResource::from_gvk(&GroupVersionKind::try_from(&types)?);
    let namespaced = ["Secret", "PersistentVolumeClaim", "Pod"].contains(&types.kind.as_str());
    let api: Api<DynamicObject> = match namespaced {
        true => Api::namespaced_with(client.clone(), "default", &resource),
        false => Api::all_with(client.clone(), &resource),
    };
    api.create(&PostParams::default(), &object).await?;
    Ok(())
}

async fn make_objects(client: &kube::Client) -> Result<()> {
    let driver = json!({
        "attachRequired": false, "podInfoOnMount": true, "fsGroupPolicy": "File",
        "volumeLifecycleModes": ["Persistent", "Ephemeral"], "tokenRequests": [{"audience": "test"}]});
    make(
        client,
        json!({"apiVersion": "storage.k8s.io/v1", "kind": "CSIDriver",
        "metadata": {"name": "test.windlass.io"}, "spec": driver}),
    )
    .await?;
    make(
        client,
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"},
        "stringData": {"password": "p"}}),
    )
    .await?;
    let source = json!({
        "driver": "test.windlass.io", "volumeHandle": "v1", "volumeAttributes": {"colour": "red"},
        "nodeStageSecretRef": {"name": "s", "namespace": "default"}});
    make(
        client,
        json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "pv"},
        "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "csi": source,
            "storageClassName": "", "persistentVolumeReclaimPolicy": "Retain"}}),
    )
    .await?;
    make(
        client,
        json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "claim"},
        "spec": {"accessModes": ["ReadWriteOnce"], "volumeName": "pv", "storageClassName": "",
            "resources": {"requests": {"storage": "1Gi"}}}}),
    )
    .await?;
    make(client, json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "user"}, "spec": {
        "terminationGracePeriodSeconds": 1, "securityContext": {"fsGroup": 4321},
        "containers": [{"name": "c", "image": "docker.io/library/busybox:windlass", "command": ["sh", "-c", SCRIPT],
            "readinessProbe": {"exec": {"command": ["test", "-f", "/own/file"]}, "periodSeconds": 1},
            "volumeMounts": [{"name": "pv", "mountPath": "/pv"}, {"name": "own", "mountPath": "/own"}]}],
        "volumes": [
            {"name": "pv", "persistentVolumeClaim": {"claimName": "claim"}},
            {"name": "own", "csi": {"driver": "test.windlass.io"}}]}})).await
}

/// What the driver was told.
fn mounted_right(driver: &Driver) -> Result<()> {
    use std::os::unix::fs::MetadataExt;
    let said = driver.said();
    let of = |call: &str, volume: &str| {
        let mut all = said.iter().filter(|(name, told)| {
            name == call && told["volume"].as_str().is_some_and(|v| v.starts_with(volume))
        });
        all.next().map(|(_, told)| told.clone()).ok_or(format!("no {call} of {volume}: {said:#?}"))
    };
    let stage = of("stage", "v1")?;
    assert_eq!(
        (&stage["secrets"]["password"], &stage["context"]["colour"]),
        (&json!("p"), &json!("red"))
    );
    let publish = of("publish", "v1")?;
    let context = &publish["context"];
    assert_eq!(context["csi.storage.k8s.io/pod.name"], "user");
    assert_eq!(context["csi.storage.k8s.io/ephemeral"], "false");
    let tokens: Value = serde_json::from_str(
        context["csi.storage.k8s.io/serviceAccount.tokens"].as_str().ok_or("tokens")?,
    )?;
    assert!(tokens["test"]["token"].as_str().is_some_and(|token| token.len() > 100), "{tokens}");
    let own = of("publish", "csi-")?;
    assert_eq!(own["context"]["csi.storage.k8s.io/ephemeral"], "true");
    assert!(of("stage", "csi-").is_err(), "what comes with the pod is not staged");
    assert_eq!(std::fs::metadata(driver.backing("v1")?.join("hello"))?.gid(), 4321, "fsGroup");
    Ok(())
}

/// So many volumes stand in Node status.
async fn in_use(client: &kube::Client, count: usize) -> Result<()> {
    let nodes = Api::<Node>::all(client.clone());
    let name = nodes.list(&Default::default()).await?.items.remove(0).metadata.name;
    let so_many = move |node: Option<&Node>| {
        let status = node.and_then(|node| node.status.as_ref());
        status.map_or(0, |status| status.volumes_in_use.as_ref().map_or(0, Vec::len)) == count
    };
    let name = name.unwrap_or_default();
    let seen = await_condition(nodes, &name, so_many);
    tokio::time::timeout(DEADLINE, seen).await.map_err(|_| "volumesInUse is wrong")??;
    Ok(())
}

/// The volume has become larger: the driver grows it, and the claim is told.
async fn grow(client: &kube::Client, driver: &Driver) -> Result<()> {
    let kind = GroupVersionKind::gvk("", "v1", "PersistentVolume");
    let volumes: Api<DynamicObject> = Api::all_with(client.clone(), &ApiResource::from_gvk(&kind));
    let larger = json!({"spec": {"capacity": {"storage": "2Gi"}}});
    volumes.patch("pv", &PatchParams::default(), &Patch::Merge(larger)).await?;
    let told = |claim: Option<&PersistentVolumeClaim>| {
        let capacity =
            claim.and_then(|claim| claim.status.as_ref()?.capacity.as_ref()?.get("storage"));
        capacity.is_some_and(|capacity| capacity.0 == "2Gi")
    };
    let claims = Api::<PersistentVolumeClaim>::namespaced(client.clone(), "default");
    let grown = tokio::time::timeout(DEADLINE, await_condition(claims, "claim", told)).await;
    grown.map_err(|_| "the claim is not told")??;
    let asked = driver.said().into_iter().find(|(call, _)| call == "expand").ok_or("not asked")?.1;
    assert_eq!(asked["bytes"], 2_i64 << 30);
    Ok(())
}
