//! A whole control plane in this process, on no socket, with two clients: Windlass' own and the `kube` crate's.
//!
//! `cargo run --package windlass-examples --example embedded_cluster`

use kube::api::{Api, ListParams};
use serde_json::json;
use windlass::standalone::{Cluster, Options};
use windlass_core::apis::apps::v1::Deployment;
use windlass_core::apis::core::v1::Pod;
use windlass_core::cache::{Change, HeaderOnly, InformerFactory};
use windlass_core::client::{ClientExt, Key};
use windlass_core::component::{BoxError, Shutdown};
use windlass_core::scheme;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let cluster = Cluster::start(Options::in_memory()).await?;

    // An informer shows what happens, in the very process, without copies.
    let shutdown = Shutdown::new();
    let informers = InformerFactory::new(cluster.client(), shutdown.clone());
    let pods = informers.informer::<HeaderOnly>(scheme::PODS);
    let (seen, mut names) = tokio::sync::mpsc::unbounded_channel();
    pods.on_change(move |change| {
        if let Change::Added(entry) = change {
            // The receiver lives as long as `main`.
            seen.send(entry.object.name().to_owned()).ok();
        }
    });

    // The controllers make a ReplicaSet and two pods of this Deployment.
    let deployment: Deployment = serde_json::from_value(json!({
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": "busybox"}]},
            },
        },
    }))?;
    let key = Key::new(scheme::DEPLOYMENTS, "default", "web");
    cluster.client().create_from(&key, &deployment).await?;
    for _ in 0..2 {
        println!("pod {}", names.recv().await.ok_or("the informer ended")?);
    }

    // Any program written for Kubernetes works on it: here the `kube` crate.
    let kube = cluster.kube_client();
    let listed = Api::<Pod>::namespaced(kube, "default").list(&ListParams::default()).await?;
    println!("kube sees {} pods", listed.items.len());
    shutdown.cancel();
    cluster.stop().await;
    Ok(())
}
