//! Claims and volumes.

use crate::between::Between;
use crate::cluster::{Cluster, key};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use windlass_controllers::Settings;
use windlass_core::client::{DeleteOptions, Scope};
use windlass_core::scheme;

fn volume(name: &str, size: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {"capacity": {"storage": size}, "accessModes": ["ReadWriteOnce"], "storageClassName": "c",
        "persistentVolumeReclaimPolicy": "Retain", "hostPath": {"path": "/tmp/x"}}})
}

fn claim(name: &str, size: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "c", "resources": {"requests": {"storage": size}}}})
}

#[tokio::test(start_paused = true)]
async fn a_claim_is_bound_and_its_volume_released_after_it() {
    let all = [
        "persistentvolume-binder-controller",
        "persistentvolumeclaim-protection-controller",
        "persistentvolume-protection-controller",
    ];
    let cluster = Cluster::start(&all).await;
    for (name, size) in [("large", "5Gi"), ("small", "1Gi")] {
        cluster.create(scheme::PERSISTENTVOLUMES, volume(name, size)).await;
    }
    let phases = |wanted: [&'static str; 2]| {
        move |all: &[Value]| {
            all.len() == 2
                && all.iter().zip(wanted).all(|(one, phase)| one["status"]["phase"] == phase)
        }
    };
    cluster
        .until("available", scheme::PERSISTENTVOLUMES, "", phases(["Available", "Available"]))
        .await;
    cluster.create(scheme::PERSISTENTVOLUMECLAIMS, claim("want", "1Gi")).await;
    let bound = cluster
        .until("bound", scheme::PERSISTENTVOLUMECLAIMS, "", |all| {
            all[0]["status"]["phase"] == "Bound"
        })
        .await;
    assert_eq!(
        (&bound[0]["spec"]["volumeName"], &bound[0]["status"]["capacity"]["storage"]),
        (&json!("small"), &json!("1Gi"))
    );
    cluster.until("taken", scheme::PERSISTENTVOLUMES, "", phases(["Available", "Bound"])).await;

    let user = json!({"metadata": {"name": "user"}, "spec": {"terminationGracePeriodSeconds": 0, "containers": [{"name": "c", "image": "x"}],
        "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "want"}}]}});
    cluster.create(scheme::PODS, user).await;
    cluster
        .until("protected", scheme::PERSISTENTVOLUMECLAIMS, "", |all| {
            all[0]["metadata"]["finalizers"][0] == "kubernetes.io/pvc-protection"
        })
        .await;
    cluster.delete(&key(scheme::PERSISTENTVOLUMECLAIMS, "want"), DeleteOptions::default()).await;
    cluster.pass(60).await;
    assert_eq!(cluster.list(scheme::PERSISTENTVOLUMECLAIMS, "").await.len(), 1, "a pod uses it");
    cluster.delete(&key(scheme::PODS, "user"), DeleteOptions::default()).await;
    cluster.until_count(scheme::PERSISTENTVOLUMECLAIMS, "", 0).await;
    cluster
        .until("released", scheme::PERSISTENTVOLUMES, "", phases(["Available", "Released"]))
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_claim_waits_for_a_volume() {
    let cluster = Cluster::start(&["persistentvolume-binder-controller"]).await;
    cluster.create(scheme::PERSISTENTVOLUMECLAIMS, claim("want", "2Gi")).await;
    cluster.create(scheme::PERSISTENTVOLUMES, volume("small", "1Gi")).await;
    cluster.pass(60).await;
    assert_eq!(
        cluster.list(scheme::PERSISTENTVOLUMECLAIMS, "").await[0]["status"]["phase"],
        "Pending"
    );
    cluster.create(scheme::PERSISTENTVOLUMES, volume("large", "2Gi")).await;
    cluster
        .until("bound", scheme::PERSISTENTVOLUMECLAIMS, "", |all| {
            all[0]["status"]["phase"] == "Bound"
        })
        .await;
}

fn class(mode: &str) -> Value {
    json!({"metadata": {"name": "c"}, "provisioner": "windlass.dev/local-path", "volumeBindingMode": mode})
}

#[tokio::test(start_paused = true)]
async fn a_claim_gets_a_folder_where_its_first_pod_runs() {
    let all = [
        "persistentvolume-binder-controller",
        "persistentvolumeclaim-protection-controller",
        "ephemeral-volume-controller",
    ];
    let cluster = Cluster::start(&all).await;
    let root = std::env::temp_dir().join(format!("windlass-e2e-{}", std::process::id()));
    cluster
        .run(|context| windlass_controllers::local_path::component(context, "n", root.clone()))
        .await;
    cluster.create(scheme::STORAGECLASSES, class("WaitForFirstConsumer")).await;
    let template = json!({"spec": claim("x", "1Gi")["spec"]});
    let user = json!({"metadata": {"name": "user"}, "spec": {"terminationGracePeriodSeconds": 0, "containers": [{"name": "c", "image": "x"}],
        "volumes": [{"name": "v", "ephemeral": {"volumeClaimTemplate": template}}]}});
    let user = cluster.create(scheme::PODS, user).await;
    let claims = cluster.until_count(scheme::PERSISTENTVOLUMECLAIMS, "", 1).await;
    let owner = json!({"apiVersion": "v1", "kind": "Pod", "name": "user", "uid": user["metadata"]["uid"],
        "controller": true, "blockOwnerDeletion": true});
    assert_eq!(claims[0]["metadata"]["ownerReferences"], json!([owner]), "it goes with the pod");
    cluster.pass(60).await;
    assert!(cluster.list(scheme::PERSISTENTVOLUMES, "").await.is_empty(), "no node is chosen yet");
    let selected =
        json!({"metadata": {"annotations": {"volume.kubernetes.io/selected-node": "n"}}});
    cluster.patch(&key(scheme::PERSISTENTVOLUMECLAIMS, "user-v"), selected).await;
    let bound = cluster
        .until("bound", scheme::PERSISTENTVOLUMECLAIMS, "", |all| {
            all[0]["status"]["phase"] == "Bound"
        })
        .await;
    let folder = root.join(bound[0]["spec"]["volumeName"].as_str().unwrap());
    assert!(folder.is_dir());
    // The collector would delete it with the pod; here it is done by hand.
    cluster.delete(&key(scheme::PODS, "user"), DeleteOptions::default()).await;
    cluster.delete(&key(scheme::PERSISTENTVOLUMECLAIMS, "user-v"), DeleteOptions::default()).await;
    cluster.until_count(scheme::PERSISTENTVOLUMES, "", 0).await;
    assert!(!folder.exists());
    std::fs::remove_dir_all(root).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_default_class_that_comes_late_is_the_claims_class() {
    let cluster = Cluster::start(&["persistentvolume-binder-controller"]).await;
    let mut want = claim("want", "1Gi");
    want["spec"].as_object_mut().unwrap().remove("storageClassName");
    cluster.create(scheme::PERSISTENTVOLUMECLAIMS, want).await;
    windlass_controllers::local_path::default_class(&*cluster.client).await.unwrap();
    windlass_controllers::local_path::default_class(&*cluster.client).await.unwrap();
    cluster
        .until("a class", scheme::PERSISTENTVOLUMECLAIMS, "", |all| {
            all[0]["spec"]["storageClassName"] == "local-path"
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_volume_is_attached_where_its_pod_runs() {
    let all = ["persistentvolume-binder-controller", "persistentvolume-attach-detach-controller"];
    let cluster = Cluster::start(&all).await;
    cluster.create(scheme::NODES, json!({"metadata": {"name": "n"}})).await;
    let mut disk = volume("disk", "1Gi");
    let spec = disk["spec"].as_object_mut().unwrap();
    spec.shift_remove("hostPath");
    spec.insert("csi".into(), json!({"driver": "disks.example", "volumeHandle": "h"}));
    cluster.create(scheme::PERSISTENTVOLUMES, disk).await;
    cluster.create(scheme::PERSISTENTVOLUMECLAIMS, claim("want", "1Gi")).await;
    let user = json!({"metadata": {"name": "user"}, "spec": {"nodeName": "n", "terminationGracePeriodSeconds": 0, "containers": [{"name": "c", "image": "x"}],
        "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "want"}}]}});
    cluster.create(scheme::PODS, user).await;
    let made = cluster.until_count(scheme::VOLUMEATTACHMENTS, "", 1).await;
    assert_eq!(
        (&made[0]["spec"]["attacher"], &made[0]["spec"]["nodeName"]),
        (&json!("disks.example"), &json!("n"))
    );
    let name = made[0]["metadata"]["name"].as_str().unwrap();
    let done = json!({"status": {"attached": true}});
    cluster.patch(&key(scheme::VOLUMEATTACHMENTS, name).subresource("status"), done).await;
    cluster
        .until("told", scheme::NODES, "", |all| {
            all[0]["status"]["volumesAttached"][0]["name"] == "kubernetes.io/csi/disks.example^h"
        })
        .await;
    cluster
        .delete(
            &key(scheme::PODS, "user"),
            DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() },
        )
        .await;
    cluster.until_count(scheme::VOLUMEATTACHMENTS, "", 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_volume_for_one_node_is_attached_to_one_of_two() {
    let all = ["persistentvolume-binder-controller", "persistentvolume-attach-detach-controller"];
    let cluster = Cluster::start(&all).await;
    let mut disk = volume("disk", "1Gi");
    let spec = disk["spec"].as_object_mut().unwrap();
    spec.shift_remove("hostPath");
    spec.insert("csi".into(), json!({"driver": "disks.example", "volumeHandle": "h"}));
    cluster.create(scheme::PERSISTENTVOLUMES, disk).await;
    cluster.create(scheme::PERSISTENTVOLUMECLAIMS, claim("want", "1Gi")).await;
    let bound = |all: &[Value]| all[0]["status"]["phase"] == "Bound";
    cluster.until("bound", scheme::PERSISTENTVOLUMECLAIMS, "", bound).await;
    let user = |node: &str| {
        let volume = json!({"name": "v", "persistentVolumeClaim": {"claimName": "want"}});
        json!({"metadata": {"name": format!("on-{node}")}, "spec": {"nodeName": node, "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "c", "image": "x"}], "volumes": [volume]}})
    };
    for node in ["a", "b"] {
        cluster.create(scheme::NODES, json!({"metadata": {"name": node}})).await;
    }
    futures::join!(
        cluster.create(scheme::PODS, user("a")),
        cluster.create(scheme::PODS, user("b"))
    );
    cluster.until_count(scheme::VOLUMEATTACHMENTS, "", 1).await;
    cluster.pass(300).await;
    let made = cluster.list(scheme::VOLUMEATTACHMENTS, "").await;
    assert_eq!(made.len(), 1, "{made:#?}");
    // When its pod is gone, and the node has it mounted no longer, the other one gets it.
    let node = made[0]["spec"]["nodeName"].as_str().unwrap().to_owned();
    let pod = key(scheme::PODS, &format!("on-{node}"));
    cluster.delete(&pod, DeleteOptions::default()).await;
    let moved = |all: &[Value]| all.len() == 1 && all[0]["spec"]["nodeName"] != node.as_str();
    cluster.until("it moved", scheme::VOLUMEATTACHMENTS, "", moved).await;
}

#[tokio::test(start_paused = true)]
async fn many_claims_share_many_volumes_one_to_one() {
    let cluster = Cluster::start(&["persistentvolume-binder-controller"]).await;
    for number in 0..20 {
        let want = claim(&format!("want-{number}"), "1Gi");
        cluster.create(scheme::PERSISTENTVOLUMECLAIMS, want).await;
    }
    for number in 0..20 {
        cluster.create(scheme::PERSISTENTVOLUMES, volume(&format!("v{number}"), "1Gi")).await;
    }
    let began = tokio::time::Instant::now();
    let bound = cluster
        .until("all bound", scheme::PERSISTENTVOLUMECLAIMS, "", |all| {
            all.iter().all(|claim| claim["status"]["phase"] == "Bound")
        })
        .await;
    let volumes: std::collections::BTreeSet<_> =
        bound.iter().map(|claim| claim["spec"]["volumeName"].as_str().unwrap()).collect();
    assert_eq!(volumes.len(), 20);
    assert!(began.elapsed().as_secs() < 2, "one does not wait for another");
}

#[tokio::test(start_paused = true)]
async fn a_claim_for_devices_lives_as_long_as_its_pod() {
    let cluster = Cluster::start(&["resourceclaim-controller"]).await;
    let devices =
        json!({"devices": {"requests": [{"name": "r", "exactly": {"deviceClassName": "gpu"}}]}});
    cluster
        .create(
            scheme::RESOURCECLAIMTEMPLATES,
            json!({"metadata": {"name": "t"}, "spec": {"spec": devices}}),
        )
        .await;
    let user = json!({"metadata": {"name": "user"}, "spec": {"nodeName": "n", "containers": [{"name": "c", "image": "x"}], "restartPolicy": "Never",
        "resourceClaims": [{"name": "gpu", "resourceClaimTemplateName": "t"}]}});
    cluster.create(scheme::PODS, user).await;
    let claims = cluster.until_count(scheme::RESOURCECLAIMS, "", 1).await;
    let pods = cluster
        .until("told", scheme::PODS, "", |all| all[0]["status"]["resourceClaimStatuses"].is_array())
        .await;
    assert_eq!(
        pods[0]["status"]["resourceClaimStatuses"][0]["resourceClaimName"],
        claims[0]["metadata"]["name"]
    );
    let ended = json!({"status": {"phase": "Succeeded"}});
    cluster.patch(&key(scheme::PODS, "user").subresource("status"), ended).await;
    cluster.until_count(scheme::RESOURCECLAIMS, "", 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_nobody_scheduled_gets_its_folder_too() {
    let cluster = Cluster::start(&["persistentvolume-binder-controller"]).await;
    let root = std::env::temp_dir().join(format!("windlass-e2e-direct-{}", std::process::id()));
    cluster
        .run(|context| windlass_controllers::local_path::component(context, "n", root.clone()))
        .await;
    cluster.create(scheme::STORAGECLASSES, class("WaitForFirstConsumer")).await;
    cluster.create(scheme::PERSISTENTVOLUMECLAIMS, claim("want", "1Gi")).await;
    let user = json!({"metadata": {"name": "user"}, "spec": {"nodeName": "n", "containers": [{"name": "c", "image": "x"}],
        "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "want"}}]}});
    cluster.create(scheme::PODS, user).await;
    cluster
        .until("bound", scheme::PERSISTENTVOLUMECLAIMS, "", |all| {
            all[0]["status"]["phase"] == "Bound"
        })
        .await;
    std::fs::remove_dir_all(root).unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_server_is_asked_once_for_all_claims_that_go() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let listed = move |scope: &Scope| {
        count.fetch_add(usize::from(scope.resource == scheme::PODS), Ordering::SeqCst);
    };
    let way = |server| Between::tells(server, listed);
    let controllers = ["persistentvolumeclaim-protection-controller"];
    let cluster = Cluster::through(&controllers, Settings::default(), way).await;
    let claim = |number: usize| format!("c{number}");
    let volume = |number: usize| json!({"name": claim(number), "persistentVolumeClaim": {"claimName": claim(number)}});
    let volumes: Vec<_> = (0..20).map(volume).collect();
    let pod = json!({"metadata": {"name": "user"}, "spec": {"volumes": volumes,
        "containers": [{"name": "c", "image": "x:1"}]}});
    cluster.create(scheme::PODS, pod).await;
    for number in 0..20 {
        let spec = json!({"accessModes": ["ReadWriteOnce"], "storageClassName": "c",
            "resources": {"requests": {"storage": "1Gi"}}});
        let claim = json!({"metadata": {"name": claim(number)}, "spec": spec});
        cluster.create(scheme::PERSISTENTVOLUMECLAIMS, claim).await;
    }
    let protected =
        |all: &[Value]| all.iter().all(|one| one["metadata"]["finalizers"][0].is_string());
    cluster.until("protected", scheme::PERSISTENTVOLUMECLAIMS, "", protected).await;
    for number in 0..20 {
        let path = key(scheme::PERSISTENTVOLUMECLAIMS, &claim(number));
        cluster.delete(&path, DeleteOptions::default()).await;
    }
    cluster.pass(60).await;
    assert_eq!(cluster.list(scheme::PERSISTENTVOLUMECLAIMS, "").await.len(), 20, "all are in use");
    let before = asked.load(Ordering::SeqCst);
    let now = DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() };
    cluster.delete(&key(scheme::PODS, "user"), now).await;
    cluster.until_count(scheme::PERSISTENTVOLUMECLAIMS, "", 0).await;
    let asked = asked.load(Ordering::SeqCst) - before;
    assert!(asked <= 2, "{asked}");
}
