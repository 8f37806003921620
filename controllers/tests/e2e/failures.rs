//! Writes that fail, and answers that get lost.

use crate::between::{Between, Fate};
use crate::cluster::{Cluster, NS, key, template};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use windlass_controllers::Settings;
use windlass_core::client::{DeleteOptions, Key};
use windlass_core::scheme::{self, GroupVersionResource};

/// Controllers whose writes meet a fate by how many of a resource there were before.
async fn cluster(
    controllers: &[&str],
    resource: GroupVersionResource,
    fate: impl Fn(&Key, usize) -> Fate + Send + Sync + 'static,
) -> Cluster {
    let writes = AtomicUsize::new(0);
    let fate = move |key: &Key| match key.resource == resource {
        true => fate(key, writes.fetch_add(1, Ordering::SeqCst)),
        false => Fate::Done,
    };
    let settings = Settings::default();
    Cluster::through(controllers, settings, |server| Between::fails(server, fate)).await
}

#[tokio::test(start_paused = true)]
async fn a_part_of_the_addresses_is_given_once_though_the_answer_got_lost() {
    let lost =
        |_: &Key, before: usize| if before.is_multiple_of(2) { Fate::Lost } else { Fate::Done };
    let cluster = cluster(&["node-ipam-controller"], scheme::NODES, lost).await;
    for name in ["a", "b", "c"] {
        cluster.create(scheme::NODES, json!({"metadata": {"name": name}})).await;
    }
    let given = |all: &[Value]| {
        all.len() == 3 && all.iter().all(|node| node["spec"]["podCIDR"].is_string())
    };
    cluster.until("addresses", scheme::NODES, "", given).await;
    cluster.pass(60).await;
    let nodes = cluster.list(scheme::NODES, "").await;
    let mut parts: Vec<_> =
        nodes.iter().map(|node| node["spec"]["podCIDR"].as_str().unwrap()).collect();
    parts.sort_unstable();
    assert_eq!(parts, ["10.244.0.0/24", "10.244.1.0/24", "10.244.2.0/24"]);
}

#[tokio::test(start_paused = true)]
async fn one_claim_that_can_not_be_bound_keeps_no_other_from_it() {
    // The volume that is chosen for the first claim can never be written.
    let bad = |key: &Key, _: usize| if key.name == "a" { Fate::Refused } else { Fate::Done };
    let controllers = ["persistentvolume-binder-controller"];
    let cluster = cluster(&controllers, scheme::PERSISTENTVOLUMES, bad).await;
    for (name, mode) in [("a", "ReadWriteMany"), ("b", "ReadWriteOnce")] {
        let spec = json!({"capacity": {"storage": "1Gi"}, "accessModes": [mode],
            "storageClassName": "c", "hostPath": {"path": "/tmp/x"}});
        let volume = json!({"metadata": {"name": name}, "spec": spec});
        cluster.create(scheme::PERSISTENTVOLUMES, volume).await;
    }
    for (name, mode) in [("first", "ReadWriteMany"), ("second", "ReadWriteOnce")] {
        let spec = json!({"accessModes": [mode], "storageClassName": "c",
            "resources": {"requests": {"storage": "1Gi"}}});
        let claim = json!({"metadata": {"name": name}, "spec": spec});
        cluster.create(scheme::PERSISTENTVOLUMECLAIMS, claim).await;
    }
    let bound = |all: &[Value]| {
        all.len() == 2
            && all[1]["status"]["phase"] == "Bound"
            && all[1]["spec"]["volumeName"] == "b"
    };
    let claims = cluster.until("bound", scheme::PERSISTENTVOLUMECLAIMS, "", bound).await;
    assert_ne!(claims[0]["status"]["phase"], "Bound");
}

/// A Job of so many pods.
fn job(pods: usize) -> Value {
    let mut template = template("work", "x:1");
    template["spec"]["restartPolicy"] = "Never".into();
    let spec = json!({"parallelism": pods, "completions": pods, "template": template});
    json!({"metadata": {"name": "work"}, "spec": spec})
}

#[tokio::test(start_paused = true)]
async fn pods_that_could_not_be_made_are_not_active() {
    // Two are made, then no more for a while.
    let some =
        |_: &Key, before: usize| if (2..8).contains(&before) { Fate::Refused } else { Fate::Done };
    let cluster = cluster(&["job-controller"], scheme::PODS, some).await;
    cluster.create(scheme::JOBS, job(5)).await;
    let active = |wanted: u64| move |all: &[Value]| all[0]["status"]["active"] == wanted;
    cluster.until("two", scheme::JOBS, "", active(2)).await;
    let pods = cluster.list(scheme::PODS, "").await;
    assert_eq!(pods.len(), 2);
    cluster.until("five", scheme::PODS, "", |all| all.len() == 5).await;
    cluster.pass(60).await;
    assert!(active(5)(&cluster.list(scheme::JOBS, "").await));
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_pods_can_not_be_made_is_not_written_again_and_again() {
    let (tries, writes) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counts = (tries.clone(), writes.clone());
    let fate = move |key: &Key| match key {
        key if key.resource == scheme::PODS => {
            counts.0.fetch_add(1, Ordering::SeqCst);
            Fate::Refused
        }
        key => {
            counts.1.fetch_add(usize::from(key.resource == scheme::JOBS), Ordering::SeqCst);
            Fate::Done
        }
    };
    let settings = Settings::default();
    let way = |server| Between::fails(server, fate);
    let cluster = Cluster::through(&["job-controller"], settings, way).await;
    cluster.create(scheme::JOBS, job(5)).await;
    cluster.pass(600).await;
    let status = &cluster.list(scheme::JOBS, "").await[0]["status"];
    assert!(status["startTime"].is_string() && status["active"].is_null(), "{status:#}");
    let (tries, writes) = (tries.load(Ordering::SeqCst), writes.load(Ordering::SeqCst));
    assert!((3..=25).contains(&tries), "later and later: {tries}");
    assert_eq!(writes, 2, "as if they were made; that they were not");
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_can_not_be_let_go_keeps_no_other_pod_of_its_job_from_going_or_coming() {
    let first = OnceLock::new();
    let fate = move |key: &Key, _: usize| match &*key.name {
        "" => Fate::Done,
        name if *first.get_or_init(|| name.to_owned()) == name => Fate::Refused,
        _ => Fate::Done,
    };
    let cluster = cluster(&["job-controller"], scheme::PODS, fate).await;
    let mut work = job(4);
    work["spec"]["completions"] = 5.into();
    cluster.create(scheme::JOBS, work).await;
    for pod in cluster.until_count(scheme::PODS, "", 4).await {
        let name = pod["metadata"]["name"].as_str().unwrap();
        let status = key(scheme::PODS, name).subresource("status");
        cluster.patch(&status, json!({"status": {"phase": "Succeeded"}})).await;
    }
    let held = |pod: &&Value| {
        pod["metadata"]["finalizers"][0].is_string() && pod["status"]["phase"] == "Succeeded"
    };
    let one = |all: &[Value]| all.len() == 5 && all.iter().filter(held).count() == 1;
    cluster.until("all but one are let go, and the fifth is made", scheme::PODS, "", one).await;
}

#[tokio::test(start_paused = true)]
async fn a_stray_pod_that_can_not_be_let_go_keeps_no_job_from_its_work() {
    let fate = |key: &Key, _: usize| if key.name == "stray" { Fate::Refused } else { Fate::Done };
    let cluster = cluster(&["job-controller"], scheme::PODS, fate).await;
    let owner = json!({"apiVersion": "batch/v1", "kind": "Job", "name": "work", "uid": "before", "controller": true});
    let mut stray = template("work", "x:1");
    stray["metadata"] = json!({"name": "stray", "ownerReferences": [owner],
        "finalizers": ["batch.kubernetes.io/job-tracking"]});
    cluster.create(scheme::PODS, stray).await;
    cluster.create(scheme::JOBS, job(2)).await;
    cluster.until_count(scheme::PODS, "", 3).await;
}

#[tokio::test(start_paused = true)]
async fn that_a_job_is_resumed_is_told_though_its_pods_can_not_be_made() {
    let cluster = cluster(&["job-controller"], scheme::PODS, |_, _| Fate::Refused).await;
    let mut work = job(2);
    work["spec"]["suspend"] = true.into();
    cluster.create(scheme::JOBS, work).await;
    let told = |reason: &'static str| {
        move |all: &[Value]| all.iter().any(|event| event["reason"] == reason)
    };
    cluster.until("suspended", scheme::EVENTS, "", told("Suspended")).await;
    cluster.patch(&key(scheme::JOBS, "work"), json!({"spec": {"suspend": false}})).await;
    cluster.until("resumed", scheme::EVENTS, "", told("Resumed")).await;
}

#[tokio::test(start_paused = true)]
async fn pods_of_a_namespace_that_goes_are_not_active() {
    let tries = Arc::new(AtomicUsize::new(0));
    let counted = tries.clone();
    let count = move |_: &Key, _: usize| {
        counted.fetch_add(1, Ordering::SeqCst);
        Fate::Done
    };
    let cluster = cluster(&["job-controller"], scheme::PODS, count).await;
    let mut job = job(16);
    job["spec"]["suspend"] = true.into();
    cluster.create(scheme::JOBS, job).await;
    cluster.delete(&key(scheme::NAMESPACES, NS), DeleteOptions::default()).await;
    cluster.patch(&key(scheme::JOBS, "work"), json!({"spec": {"suspend": false}})).await;
    cluster.pass(60).await;
    let status = &cluster.list(scheme::JOBS, "").await[0]["status"];
    assert!(status["startTime"].is_string() && status["active"].is_null(), "{status:#}");
    let tries = tries.load(Ordering::SeqCst);
    assert!((1..16).contains(&tries), "the first refusal says it of all: {tries}");
}

#[tokio::test(start_paused = true)]
async fn a_volume_is_protected_while_it_is_bound() {
    let refused = |_: &Key, before: usize| if before < 2 { Fate::Refused } else { Fate::Done };
    let controllers = ["persistentvolume-protection-controller"];
    let cluster = cluster(&controllers, scheme::PERSISTENTVOLUMES, refused).await;
    let spec = json!({"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"],
        "storageClassName": "c", "hostPath": {"path": "/tmp/x"}});
    let volume = json!({"metadata": {"name": "v"}, "spec": spec});
    cluster.create(scheme::PERSISTENTVOLUMES, volume).await;
    let protected =
        |all: &[Value]| all[0]["metadata"]["finalizers"][0] == "kubernetes.io/pv-protection";
    cluster.until("protected", scheme::PERSISTENTVOLUMES, "", protected).await;
    let status = key(scheme::PERSISTENTVOLUMES, "v").subresource("status");
    cluster.patch(&status, json!({"status": {"phase": "Bound"}})).await;
    cluster.delete(&key(scheme::PERSISTENTVOLUMES, "v"), Default::default()).await;
    cluster.pass(60).await;
    assert_eq!(cluster.list(scheme::PERSISTENTVOLUMES, "").await.len(), 1, "it is bound");
    cluster.patch(&status, json!({"status": {"phase": "Released"}})).await;
    cluster.until_count(scheme::PERSISTENTVOLUMES, "", 0).await;
}
