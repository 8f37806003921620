//! What workloads stand on: addresses, volumes, devices, namespaces.

use crate::cluster::{NS, key};
use crate::seeds::play;
use crate::world::{World, is_staying};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use windlass_core::cache::{Change, HeaderOnly, InformerFactory};
use windlass_core::client::{DeleteOptions, Key};
use windlass_core::component::Shutdown;
use windlass_core::scheme::{self, GroupVersionResource};

/// Tells of every change of a resource, by a way that can be relied on, until the end is dropped.
fn watch(
    world: &World,
    resource: GroupVersionResource,
    tell: impl Fn(&Change<HeaderOnly>) + Send + Sync + 'static,
) -> impl Drop {
    let end = Shutdown::new();
    let informers = InformerFactory::new(world.client.clone(), end.clone());
    informers.informer::<HeaderOnly>(resource).on_change(tell);
    end.drop_guard()
}

fn claim(name: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "c",
        "resources": {"requests": {"storage": "1Gi"}}}})
}

fn volume(name: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"],
        "storageClassName": "c", "csi": {"driver": "disks.example", "volumeHandle": name}}})
}

fn user(name: &str, node: &str, claim: &str) -> Value {
    let volume = json!({"name": "v", "persistentVolumeClaim": {"claimName": claim}});
    json!({"metadata": {"name": name}, "spec": {"nodeName": node, "terminationGracePeriodSeconds": 0,
        "containers": [{"name": "c", "image": "x"}], "volumes": [volume]}})
}

#[test]
fn volumes() {
    let controllers = &[
        "persistentvolume-binder-controller",
        "persistentvolume-protection-controller",
        "persistentvolumeclaim-protection-controller",
    ];
    play("volumes", controllers, async |world: &World| {
        let lost = Arc::new(Mutex::new(vec![]));
        let seen = lost.clone();
        let _watching = watch(world, scheme::PERSISTENTVOLUMES, move |change| {
            let volume: Value = change.object().view().unwrap();
            if volume["status"]["phase"] == "Released" {
                seen.lock().unwrap().push(volume);
            }
        });
        for number in 0..6 {
            world.create(scheme::PERSISTENTVOLUMECLAIMS, claim(&format!("want-{number}"))).await;
            world.create(scheme::PERSISTENTVOLUMES, volume(&format!("disk-{number}"))).await;
        }
        world.trouble().await;
        for number in 6..10 {
            world.create(scheme::PERSISTENTVOLUMES, volume(&format!("disk-{number}"))).await;
            world.create(scheme::PERSISTENTVOLUMECLAIMS, claim(&format!("want-{number}"))).await;
        }
        world.trouble().await;
        world.peace();
        let bound = |all: &[Value]| all.iter().all(|one| one["status"]["phase"] == "Bound");
        let claims = world.settles("claims", scheme::PERSISTENTVOLUMECLAIMS, bound).await;
        let volumes = world.settles("volumes", scheme::PERSISTENTVOLUMES, bound).await;
        let named: BTreeSet<_> =
            claims.iter().map(|claim| claim["spec"]["volumeName"].as_str().unwrap()).collect();
        assert_eq!((named.len(), volumes.len()), (10, 10), "{claims:#?}");
        assert!(lost.lock().unwrap().is_empty(), "their claims were there all the time: {lost:#?}");
    });
}

#[test]
fn attachments() {
    let controllers = &["persistentvolume-attach-detach-controller"];
    play("attachments", controllers, async |world: &World| {
        let (now, most) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
        let seen = most.clone();
        let _watching = watch(world, scheme::VOLUMEATTACHMENTS, move |change| match change {
            Change::Added(_) => {
                seen.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            }
            Change::Deleted(_) => drop(now.fetch_sub(1, Ordering::SeqCst)),
            Change::Updated { .. } => {}
        });
        let mut disk = volume("disk");
        disk["spec"]["claimRef"] = json!({"namespace": NS, "name": "want"});
        world.create(scheme::PERSISTENTVOLUMES, disk).await;
        let mut want = claim("want");
        want["spec"]["volumeName"] = "disk".into();
        world.create(scheme::PERSISTENTVOLUMECLAIMS, want).await;
        let bound = json!({"status": {"phase": "Bound"}});
        let path = key(scheme::PERSISTENTVOLUMECLAIMS, "want").subresource("status");
        world.patch(&path, bound).await;
        for node in ["a", "b", "c"] {
            world.create(scheme::NODES, json!({"metadata": {"name": node}})).await;
            world.create(scheme::PODS, user(&format!("on-{node}"), node, "want")).await;
        }
        world.trouble().await;
        for node in ["a", "c"] {
            let pod = key(scheme::PODS, &format!("on-{node}"));
            world.delete(&pod, DeleteOptions::default()).await;
            world.trouble().await;
        }
        world.peace();
        let there = |all: &[Value]| all.len() == 1 && all[0]["spec"]["nodeName"] == "b";
        world.settles("it is where it is needed", scheme::VOLUMEATTACHMENTS, there).await;
        assert_eq!(most.load(Ordering::SeqCst), 1, "never on two nodes");
    });
}

#[test]
fn resource_claims() {
    play("resource_claims", &["resourceclaim-controller"], async |world: &World| {
        world.count(scheme::RESOURCECLAIMS).await;
        let devices = json!({"requests": [{"name": "r", "exactly": {"deviceClassName": "gpu"}}]});
        let template = json!({"metadata": {"name": "t"}, "spec": {"spec": {"devices": devices}}});
        world.create(scheme::RESOURCECLAIMTEMPLATES, template).await;
        let pod = |name: String| {
            json!({"metadata": {"name": name}, "spec": {"nodeName": "n", "containers": [{"name": "c", "image": "x"}],
                "resourceClaims": [{"name": "gpu", "resourceClaimTemplateName": "t"}]}})
        };
        for number in 0..4 {
            world.create(scheme::PODS, pod(format!("user-{number}"))).await;
        }
        world.trouble().await;
        // One that is reserved at once for a pod that caches may not show yet.
        let late = world.create(scheme::PODS, pod("late".into())).await;
        let consumer = json!({"resource": "pods", "name": "late", "uid": late["metadata"]["uid"]});
        let shared = json!({"metadata": {"name": "shared"}, "spec": {"devices": devices}});
        world.create(scheme::RESOURCECLAIMS, shared).await;
        let reserved = json!({"status": {"allocation": {}, "reservedFor": [consumer]}});
        let path = key(scheme::RESOURCECLAIMS, "shared").subresource("status");
        world.patch(&path, reserved).await;
        world.trouble().await;
        world.peace();
        let told = |pods: &[Value]| {
            pods.iter().all(|pod| {
                pod["status"]["resourceClaimStatuses"][0]["resourceClaimName"].is_string()
            })
        };
        world.settles("all pods have theirs", scheme::PODS, told).await;
        world.assert_made(&scheme::RESOURCECLAIMS, 6);
        let claims = world.list(scheme::RESOURCECLAIMS, "").await;
        let shared = claims.iter().find(|claim| claim["metadata"]["name"] == "shared").unwrap();
        assert_eq!(shared["status"]["reservedFor"][0]["name"], "late");
    });
}

#[test]
fn endpoint_slices() {
    play("endpoint_slices", &["endpointslice-controller"], async |world: &World| {
        world.create(scheme::NODES, json!({"metadata": {"name": "n"}})).await;
        let spec = json!({"selector": {"app": "a"}, "ports": [{"port": 80}]});
        world.create(scheme::SERVICES, json!({"metadata": {"name": "svc"}, "spec": spec})).await;
        for number in 0..5 {
            let name = format!("p-{number}");
            world
                .create(
                    scheme::PODS,
                    json!({"metadata": {"name": name, "labels": {"app": "a"}},
                "spec": {"nodeName": "n", "containers": [{"name": "c", "image": "x"}]}}),
                )
                .await;
            let ip = format!("10.1.0.{number}");
            let ready = json!({"type": "Ready", "status": "True"});
            let status = json!({"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}], "conditions": [ready]});
            let path = key(scheme::PODS, &name).subresource("status");
            world.patch(&path, json!({"status": status})).await;
            world.pass(5).await;
        }
        world.trouble().await;
        let now = DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() };
        world.delete(&key(scheme::PODS, "p-0"), now).await;
        world.trouble().await;
        world.peace();
        let addresses = |slices: &[Value]| -> Vec<String> {
            let all = slices.iter().flat_map(|slice| slice["endpoints"].as_array().unwrap());
            let mut all: Vec<_> =
                all.map(|one| one["addresses"][0].as_str().unwrap().to_owned()).collect();
            all.sort();
            all
        };
        let right =
            |all: &[Value]| addresses(all) == ["10.1.0.1", "10.1.0.2", "10.1.0.3", "10.1.0.4"];
        let slices = world.settles("each pod once", scheme::ENDPOINTSLICES, right).await;
        assert!(slices.iter().all(is_staying), "{slices:#?}");
    });
}

#[test]
fn namespaces() {
    play("namespaces", &["namespace-controller"], async |world: &World| {
        for number in 0..20 {
            let name = format!("map-{number}");
            world.create(scheme::CONFIGMAPS, json!({"metadata": {"name": name}})).await;
        }
        world.delete(&Key::cluster(scheme::NAMESPACES, NS), DeleteOptions::default()).await;
        world.trouble().await;
        world.trouble().await;
        world.peace();
        let gone = |all: &[Value]| all.iter().all(|one| one["metadata"]["name"] != NS);
        world.settles("its end", scheme::NAMESPACES, gone).await;
        assert!(world.list(scheme::CONFIGMAPS, "").await.is_empty());
    });
}
