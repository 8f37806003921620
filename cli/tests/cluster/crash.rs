//! `kill -9` under a load of writes: every acknowledged write is there afterwards, containers still run.
//!
//! Runs in a network namespace of its own. Without root the node is left out, and with it the containers.

use crate::support::{Running, Scene};
use kube::api::{Api, ObjectMeta, PostParams};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use windlass_core::apis::core::v1::{ConfigMap, Pod};
use windlass_core::component::BoxError;

const WRITERS: usize = 8;
const KILL_AFTER: usize = 400;

/// Writes until the server is gone; the names of what was acknowledged.
async fn write_until_killed(client: kube::Client, acknowledged: Arc<AtomicUsize>) -> Vec<String> {
    let names = Arc::new(Mutex::new(Vec::new()));
    let writer = |writer: usize| {
        let (api, names) = (Api::<ConfigMap>::namespaced(client.clone(), "default"), names.clone());
        let acknowledged = acknowledged.clone();
        async move {
            for n in 0.. {
                let name = format!("w{writer}-{n}");
                let metadata = ObjectMeta { name: Some(name.clone()), ..ObjectMeta::default() };
                let object = ConfigMap { metadata, ..ConfigMap::default() };
                if api.create(&PostParams::default(), &object).await.is_err() {
                    return;
                }
                names.lock().expect("no panic").push(name);
                acknowledged.fetch_add(1, Ordering::SeqCst);
            }
        }
    };
    futures::future::join_all((0..WRITERS).map(writer)).await;
    std::mem::take(&mut *names.lock().expect("no panic"))
}

/// Kills the cluster once enough writes were acknowledged.
async fn kill_under_load(cluster: Running, client: &kube::Client) -> Result<Vec<String>, BoxError> {
    let acknowledged = Arc::new(AtomicUsize::new(0));
    let writing = write_until_killed(client.clone(), acknowledged.clone());
    let killing = async {
        while acknowledged.load(Ordering::SeqCst) < KILL_AFTER {
            tokio::task::yield_now().await;
        }
        cluster.kill()
    };
    let (names, killed) = futures::future::join(writing, killing).await;
    killed.map(|()| names)
}

/// What must not change: the container's id, its restarts, and since when it runs.
async fn container(client: &kube::Client) -> Result<(String, i32, String), BoxError> {
    let pod = Api::<Pod>::namespaced(client.clone(), "default").get("stays").await?;
    let status = pod.status.and_then(|status| status.container_statuses).unwrap_or_default();
    let status = status.into_iter().next().ok_or("no container status")?;
    let running = status.state.and_then(|state| state.running).ok_or("not running")?;
    let since = running.started_at.map(|time| time.0.to_string()).unwrap_or_default();
    Ok((status.container_id.unwrap_or_default(), status.restart_count, since))
}

async fn crash(scene: &Scene) -> Result<(), BoxError> {
    let cluster = scene.start()?;
    let client = scene.client().await?;
    let before = if scene.has_node() {
        scene.run_pod(&client, "stays").await?;
        Some(container(&client).await?)
    } else {
        eprintln!("not root: containers are left out");
        None
    };
    let names = kill_under_load(cluster, &client).await?;
    assert!(names.len() >= KILL_AFTER);

    let cluster = scene.start()?;
    let client = scene.client().await?;
    let kept =
        Api::<ConfigMap>::namespaced(client.clone(), "default").list(&Default::default()).await?;
    let kept: std::collections::HashSet<_> =
        kept.items.into_iter().filter_map(|object| object.metadata.name).collect();
    let lost: Vec<_> = names.iter().filter(|name| !kept.contains(*name)).collect();
    assert!(
        lost.is_empty(),
        "{} of {} acknowledged writes are lost: {lost:?}",
        lost.len(),
        names.len()
    );
    if let Some(before) = before {
        scene.wait_ready(&client, "stays").await?;
        assert_eq!(container(&client).await?, before);
        scene.delete_pod(&client, "stays").await?;
    }
    cluster.stop()
}

#[test]
fn a_kill_loses_no_write_and_no_container() {
    Scene::play("crash", crash).expect("the cluster starts, dies and starts again");
}
