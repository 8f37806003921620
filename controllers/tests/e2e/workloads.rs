//! Workloads.

use crate::cluster::{Cluster, key, template, workload};
use serde_json::{Value, json};
use windlass_core::client::DeleteOptions;
use windlass_core::scheme;

const REPLICA_SET: &str = "replicaset-controller";
const DEPLOYMENT: &str = "deployment-controller";

fn owner(object: &Value) -> String {
    let owner = &object["metadata"]["ownerReferences"][0];
    format!("{}/{}", owner["kind"].as_str().unwrap_or(""), owner["name"].as_str().unwrap_or(""))
}

#[tokio::test(start_paused = true)]
async fn a_replica_set_has_the_pods_it_asks_for() {
    let cluster = Cluster::start(&[REPLICA_SET]).await;
    cluster.create(scheme::REPLICASETS, workload("rs", json!({"replicas": 3}))).await;
    let pods = cluster.until_count(scheme::PODS, "app=rs", 3).await;
    assert!(pods.iter().all(|pod| owner(pod) == "ReplicaSet/rs"));
    cluster.run_pods();
    cluster
        .until("status", scheme::REPLICASETS, "", |sets| {
            sets[0]["status"]["availableReplicas"] == 3
        })
        .await;
    cluster.patch(&key(scheme::REPLICASETS, "rs"), json!({"spec": {"replicas": 1}})).await;
    cluster.until_count(scheme::PODS, "app=rs", 1).await;
    cluster
        .until("status", scheme::REPLICASETS, "", |sets| {
            sets[0]["status"]["replicas"] == 1 && sets[0]["status"]["observedGeneration"] == 2
        })
        .await;
    let lost = cluster.list(scheme::PODS, "app=rs").await[0]["metadata"]["name"]
        .as_str()
        .unwrap()
        .to_owned();
    cluster.delete(&key(scheme::PODS, &lost), DeleteOptions::default()).await;
    cluster
        .until("another pod", scheme::PODS, "app=rs", |pods| {
            pods.len() == 1 && pods[0]["metadata"]["name"] != lost.as_str()
        })
        .await;
    let told = cluster.until("events", scheme::EVENTS, "", |events| events.len() >= 4).await;
    assert!(told.iter().any(|event| event["reason"] == "SuccessfulCreate"
        && event["involvedObject"]["kind"] == "ReplicaSet"));
}

#[tokio::test(start_paused = true)]
async fn a_replication_controller_adopts_and_lets_go() {
    let cluster = Cluster::start(&["replicationcontroller-controller"]).await;
    let mut stray = template("rc", "x:1");
    stray["metadata"]["name"] = "stray".into();
    cluster.create(scheme::PODS, stray).await;
    let rc = json!({"metadata": {"name": "rc"}, "spec": {"replicas": 2, "selector": {"app": "rc"}, "template": template("rc", "x:1")}});
    cluster.create(scheme::REPLICATIONCONTROLLERS, rc).await;
    let pods = cluster
        .until("two pods", scheme::PODS, "app=rc", |pods| {
            pods.len() == 2 && pods.iter().all(|pod| owner(pod) == "ReplicationController/rc")
        })
        .await;
    assert!(pods.iter().any(|pod| pod["metadata"]["name"] == "stray"));
    cluster
        .patch(&key(scheme::PODS, "stray"), json!({"metadata": {"labels": {"app": "free"}}}))
        .await;
    cluster
        .until("let go", scheme::PODS, "app=free", |pods| {
            pods.len() == 1 && pods[0]["metadata"]["ownerReferences"].is_null()
        })
        .await;
    cluster.until_count(scheme::PODS, "app=rc", 2).await;
}

#[tokio::test(start_paused = true)]
async fn a_deployment_rolls_from_template_to_template_and_back() {
    let cluster = Cluster::start(&[REPLICA_SET, DEPLOYMENT]).await;
    cluster.run_pods();
    cluster.create(scheme::DEPLOYMENTS, workload("web", json!({"replicas": 4}))).await;
    let done = |revision: &'static str| {
        move |all: &[Value]| {
            let (meta, status) = (&all[0]["metadata"], &all[0]["status"]);
            meta["annotations"]["deployment.kubernetes.io/revision"] == revision
                && status["observedGeneration"] == meta["generation"]
                && ["replicas", "updatedReplicas", "availableReplicas"]
                    .iter()
                    .all(|field| status[field] == 4)
        }
    };
    cluster.until("first rollout", scheme::DEPLOYMENTS, "", done("1")).await;
    let web = key(scheme::DEPLOYMENTS, "web");
    cluster.patch(&web, json!({"spec": {"template": template("web", "x:2")}})).await;
    cluster.until("second rollout", scheme::DEPLOYMENTS, "", done("2")).await;
    let pods = cluster.list(scheme::PODS, "app=web").await;
    let alive = pods.iter().filter(|pod| pod["metadata"]["deletionTimestamp"].is_null());
    assert!(
        alive.clone().count() == 4
            && alive.clone().all(|pod| pod["spec"]["containers"][0]["image"] == "x:2")
    );
    cluster.patch(&web, json!({"spec": {"template": template("web", "x:1")}})).await;
    let all = cluster.until("back again", scheme::DEPLOYMENTS, "", done("3")).await;
    let reason = |kind: &str| {
        let conditions = all[0]["status"]["conditions"].as_array().unwrap();
        conditions
            .iter()
            .find(|condition| condition["type"] == kind)
            .map(|condition| condition["reason"].clone())
    };
    assert_eq!(
        (reason("Available"), reason("Progressing")),
        (Some("MinimumReplicasAvailable".into()), Some("NewReplicaSetAvailable".into()))
    );
    assert_eq!(
        cluster.list(scheme::REPLICASETS, "app=web").await.len(),
        2,
        "the old set was taken up again"
    );
}

#[tokio::test(start_paused = true)]
async fn a_settled_deployment_is_written_no_more() {
    let cluster = Cluster::start(&[REPLICA_SET, DEPLOYMENT]).await;
    cluster.run_pods();
    cluster.create(scheme::DEPLOYMENTS, workload("web", json!({"replicas": 3}))).await;
    cluster
        .until("rollout", scheme::DEPLOYMENTS, "", |all| all[0]["status"]["availableReplicas"] == 3)
        .await;
    cluster.pass(60).await;
    let version = |all: Vec<Value>| {
        all.iter()
            .map(|one| one["metadata"]["resourceVersion"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let before = (
        version(cluster.list(scheme::DEPLOYMENTS, "").await),
        version(cluster.list(scheme::REPLICASETS, "").await),
    );
    cluster.pass(3600).await;
    let after = (
        version(cluster.list(scheme::DEPLOYMENTS, "").await),
        version(cluster.list(scheme::REPLICASETS, "").await),
    );
    assert_eq!(before, after);
}

#[tokio::test(start_paused = true)]
async fn a_stuck_rollout_is_told_and_keeps_old_pods() {
    let cluster = Cluster::start(&[REPLICA_SET, DEPLOYMENT]).await;
    cluster
        .create(
            scheme::DEPLOYMENTS,
            workload("web", json!({"replicas": 2, "progressDeadlineSeconds": 60})),
        )
        .await;
    let late = |all: &[Value]| {
        all[0]["status"]["conditions"].as_array().is_some_and(|all| {
            all.iter().any(|c| c["reason"] == "ProgressDeadlineExceeded" && c["status"] == "False")
        })
    };
    cluster.until("the deadline", scheme::DEPLOYMENTS, "", late).await;
}

#[tokio::test(start_paused = true)]
async fn a_stateful_set_goes_in_order() {
    let cluster = Cluster::start(&["statefulset-controller"]).await;
    let claims = json!([{"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}}]);
    cluster
        .create(
            scheme::STATEFULSETS,
            workload(
                "db",
                json!({"replicas": 3, "serviceName": "db", "volumeClaimTemplates": claims}),
            ),
        )
        .await;
    cluster.until_count(scheme::PODS, "app=db", 1).await;
    cluster.pass(60).await;
    let first = cluster.list(scheme::PODS, "app=db").await;
    assert_eq!(
        (first.len(), &first[0]["metadata"]["name"]),
        (1, &json!("db-0")),
        "no second before the first is ready"
    );
    cluster.run_pods();
    cluster
        .until("three ready", scheme::STATEFULSETS, "", |all| {
            all[0]["status"]["readyReplicas"] == 3
        })
        .await;
    assert_eq!(cluster.list(scheme::PERSISTENTVOLUMECLAIMS, "").await.len(), 3);
    cluster
        .patch(
            &key(scheme::STATEFULSETS, "db"),
            json!({"spec": {"template": template("db", "x:2")}}),
        )
        .await;
    let updated = |all: &[Value]| {
        let status = &all[0]["status"];
        status["updatedReplicas"] == 3
            && status["readyReplicas"] == 3
            && status["currentRevision"] == status["updateRevision"]
    };
    cluster.until("update", scheme::STATEFULSETS, "", updated).await;
    assert!(
        cluster
            .list(scheme::PODS, "app=db")
            .await
            .iter()
            .all(|pod| pod["spec"]["containers"][0]["image"] == "x:2")
    );
    assert_eq!(cluster.list(scheme::CONTROLLERREVISIONS, "app=db").await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_daemon_set_follows_the_nodes() {
    let cluster = Cluster::start(&["daemonset-controller"]).await;
    cluster.create(scheme::DAEMONSETS, workload("ds", json!({}))).await;
    cluster
        .until("seen", scheme::DAEMONSETS, "", |all| all[0]["status"]["observedGeneration"] == 1)
        .await;
    for name in ["n1", "n2"] {
        cluster.create(scheme::NODES, json!({"metadata": {"name": name}})).await;
    }
    cluster.until_count(scheme::PODS, "app=ds", 2).await;
    cluster
        .until("status", scheme::DAEMONSETS, "", |all| {
            all[0]["status"]["desiredNumberScheduled"] == 2
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_claim_goes_with_the_pod_that_is_one_too_many() {
    let all = ["statefulset-controller", "garbage-collector-controller"];
    let cluster = Cluster::start(&all).await;
    cluster.run_pods();
    let claim = json!({"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
    let spec = json!({"replicas": 2, "serviceName": "db", "volumeClaimTemplates": [claim],
        "persistentVolumeClaimRetentionPolicy": {"whenScaled": "Delete", "whenDeleted": "Delete"}});
    cluster.create(scheme::STATEFULSETS, workload("db", spec)).await;
    cluster.until_count(scheme::PODS, "app=db", 2).await;
    cluster.until_count(scheme::PERSISTENTVOLUMECLAIMS, "", 2).await;
    let set = key(scheme::STATEFULSETS, "db");
    cluster.patch(&set, json!({"spec": {"replicas": 1}})).await;
    let left = cluster.until_count(scheme::PERSISTENTVOLUMECLAIMS, "", 1).await;
    assert_eq!(left[0]["metadata"]["name"], "data-db-0");
    cluster.patch(&set, json!({"spec": {"replicas": 2}})).await;
    cluster.until_count(scheme::PODS, "app=db", 2).await;
    cluster.until_count(scheme::PERSISTENTVOLUMECLAIMS, "", 2).await;
    cluster.delete(&set, DeleteOptions::default()).await;
    cluster.until_count(scheme::PERSISTENTVOLUMECLAIMS, "", 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_daemon_is_replaced_without_a_gap() {
    let cluster = Cluster::start(&["daemonset-controller"]).await;
    cluster.run_pods();
    for node in ["n1", "n2"] {
        cluster.create(scheme::NODES, json!({"metadata": {"name": node}})).await;
    }
    let strategy =
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}});
    cluster.create(scheme::DAEMONSETS, workload("ds", json!({"updateStrategy": strategy}))).await;
    cluster.until_count(scheme::PODS, "app=ds", 2).await;
    let set = key(scheme::DAEMONSETS, "ds");
    cluster.patch(&set, json!({"spec": {"template": template("ds", "x:2")}})).await;
    let ready = |pod: &&Value| {
        pod["status"]["phase"] == "Running" && pod["metadata"]["deletionTimestamp"].is_null()
    };
    let least = std::cell::Cell::new(usize::MAX);
    cluster
        .until("replaced", scheme::PODS, "app=ds", |all| {
            least.set(least.get().min(all.iter().filter(ready).count()));
            all.len() == 2 && all.iter().all(|pod| pod["spec"]["containers"][0]["image"] == "x:2")
        })
        .await;
    assert!(least.get() >= 2, "{} were ready at a time", least.get());
}
