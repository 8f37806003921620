//! Workloads of pods that stay.

use crate::cluster::{key, template, workload};
use crate::seeds::play;
use crate::world::World;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use windlass_core::scheme::{self, GroupVersionResource};

fn names(all: &[Value]) -> BTreeSet<&str> {
    all.iter().map(|one| one["metadata"]["name"].as_str().unwrap()).collect()
}

/// The status counts so many in each of these fields, and is of the newest generation.
fn counts(object: &Value, count: usize, fields: &[&str]) -> bool {
    object["status"]["observedGeneration"] == object["metadata"]["generation"]
        && fields.iter().all(|field| object["status"][field].as_u64().unwrap_or(0) == count as u64)
}

/// Five of a kind, then eight, then two.
async fn replicas(world: &World, resource: GroupVersionResource, object: Value) {
    world.count(scheme::PODS).await;
    world.run_pods();
    let key = key(resource.clone(), object["metadata"]["name"].as_str().unwrap());
    world.create(resource.clone(), object).await;
    world.trouble().await;
    world.patch(&key, json!({"spec": {"replicas": 8}})).await;
    world.trouble().await;
    world.peace();
    world.settles_at(8).await;
    world.assert_made(&scheme::PODS, 8);
    world.patch(&key, json!({"spec": {"replicas": 2}})).await;
    world.settles_at(2).await;
    let fields = ["replicas", "readyReplicas", "availableReplicas"];
    world.settles("the status", resource, |all| counts(&all[0], 2, &fields)).await;
}

#[test]
fn replica_sets() {
    play("replica_sets", &["replicaset-controller"], async |world: &World| {
        replicas(world, scheme::REPLICASETS, workload("rs", json!({"replicas": 5}))).await;
    });
}

#[test]
fn replication_controllers() {
    let controllers = &["replicationcontroller-controller"];
    play("replication_controllers", controllers, async |world: &World| {
        let selector = json!({"replicas": 5, "selector": {"app": "rc"}});
        replicas(world, scheme::REPLICATIONCONTROLLERS, workload("rc", selector)).await;
    });
}

#[test]
fn deployments() {
    let controllers = &["deployment-controller", "replicaset-controller"];
    play("deployments", controllers, async |world: &World| {
        world.count(scheme::REPLICASETS).await;
        world.run_pods();
        world.create(scheme::DEPLOYMENTS, workload("web", json!({"replicas": 4}))).await;
        world.trouble().await;
        let web = key(scheme::DEPLOYMENTS, "web");
        world.patch(&web, json!({"spec": {"template": template("web", "x:2")}})).await;
        world.trouble().await;
        world.peace();
        let pods = world.settles_at(4).await;
        assert!(pods.iter().all(|pod| pod["spec"]["containers"][0]["image"] == "x:2"));
        let fields = ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas"];
        world.settles("the status", scheme::DEPLOYMENTS, |all| counts(&all[0], 4, &fields)).await;
        let sets = world.list(scheme::REPLICASETS, "").await;
        let replicas: BTreeSet<_> =
            sets.iter().map(|set| set["spec"]["replicas"].as_u64().unwrap()).collect();
        // When the second template came before the first was seen, there is no set of the first.
        assert!(sets.len() <= 2 && replicas.contains(&4), "{sets:#?}");
        world.assert_made(&scheme::REPLICASETS, sets.len());
    });
}

#[test]
fn stateful_sets() {
    play("stateful_sets", &["statefulset-controller"], async |world: &World| {
        world.count(scheme::PERSISTENTVOLUMECLAIMS).await;
        world.run_pods();
        let claim = json!({"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}}}});
        let set = workload(
            "db",
            json!({"replicas": 3, "serviceName": "db", "volumeClaimTemplates": [claim]}),
        );
        world.create(scheme::STATEFULSETS, set).await;
        world.trouble().await;
        let db = key(scheme::STATEFULSETS, "db");
        world.patch(&db, json!({"spec": {"template": template("db", "x:2")}})).await;
        world.trouble().await;
        world.patch(&db, json!({"spec": {"replicas": 4}})).await;
        world.peace();
        let updated = |pods: &[Value]| {
            names(pods) == BTreeSet::from(["db-0", "db-1", "db-2", "db-3"])
                && pods.iter().all(|pod| pod["spec"]["containers"][0]["image"] == "x:2")
        };
        world.settles("four new pods", scheme::PODS, updated).await;
        world.assert_made(&scheme::PERSISTENTVOLUMECLAIMS, 4);
        let claims = world.list(scheme::PERSISTENTVOLUMECLAIMS, "").await;
        assert_eq!(
            names(&claims),
            BTreeSet::from(["data-db-0", "data-db-1", "data-db-2", "data-db-3"])
        );
        let fields = ["replicas", "readyReplicas", "currentReplicas", "updatedReplicas"];
        world.settles("the status", scheme::STATEFULSETS, |all| counts(&all[0], 4, &fields)).await;
        let revisions = world.list(scheme::CONTROLLERREVISIONS, "").await;
        assert!(revisions.len() <= 2, "{revisions:#?}");
    });
}

#[test]
fn daemon_sets() {
    play("daemon_sets", &["daemonset-controller"], async |world: &World| {
        world.count(scheme::PODS).await;
        world.run_pods();
        for node in ["a", "b", "c"] {
            world.create(scheme::NODES, json!({"metadata": {"name": node}})).await;
        }
        world.create(scheme::DAEMONSETS, workload("log", json!({}))).await;
        world.trouble().await;
        for node in ["d", "e"] {
            world.create(scheme::NODES, json!({"metadata": {"name": node}})).await;
        }
        world.trouble().await;
        world.peace();
        let pods = world.settles_at(5).await;
        world.assert_made(&scheme::PODS, 5);
        let target = |pod: &Value| {
            let terms = &pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
            terms["nodeSelectorTerms"][0]["matchFields"][0]["values"][0]
                .as_str()
                .unwrap()
                .to_owned()
        };
        let targets: BTreeSet<_> = pods.iter().map(target).collect();
        assert_eq!(targets.len(), 5, "{targets:?}");
        let fields = ["desiredNumberScheduled", "currentNumberScheduled", "numberReady"];
        world.settles("the status", scheme::DAEMONSETS, |all| counts(&all[0], 5, &fields)).await;
    });
}
