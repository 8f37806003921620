//! Jobs, by hand and by the clock; budgets.

use crate::cluster::{Cluster, key, template, workload};
use futures::{FutureExt, StreamExt};
use serde_json::{Value, json};
use windlass_core::client::{DeleteOptions, ListOptions, Scope, WatchEvent};
use windlass_core::scheme;

fn job(name: &str, spec: Value) -> Value {
    let mut template = template(name, "x:1");
    template["spec"]["restartPolicy"] = "Never".into();
    let mut job = json!({"metadata": {"name": name}, "spec": {"template": template}});
    for (key, value) in spec.as_object().unwrap() {
        job["spec"][key] = value.clone();
    }
    job
}

fn has(object: &Value, kind: &str) -> bool {
    let conditions = object["status"]["conditions"].as_array();
    conditions.is_some_and(|all| all.iter().any(|c| c["type"] == kind && c["status"] == "True"))
}

fn running(pods: &[Value]) -> Vec<String> {
    let runs =
        |pod: &&Value| !matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
    pods.iter()
        .filter(runs)
        .map(|pod| pod["metadata"]["name"].as_str().unwrap().to_owned())
        .collect()
}

/// Ends all pods that run in this phase, again and again, until the Job is over.
async fn end_pods(cluster: &Cluster, phase: &str, times: usize) {
    let mut ended = 0;
    while ended < times {
        let pods = cluster
            .until("a pod that runs", scheme::PODS, "", |pods| !running(pods).is_empty())
            .await;
        for name in running(&pods) {
            cluster
                .patch(
                    &key(scheme::PODS, &name).subresource("status"),
                    json!({"status": {"phase": phase}}),
                )
                .await;
            ended += 1;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_completes_and_goes_when_its_time_is_over() {
    let cluster = Cluster::start(&[
        "job-controller",
        "ttl-after-finished-controller",
        "garbage-collector-controller",
    ])
    .await;
    cluster
        .create(
            scheme::JOBS,
            job(
                "good",
                json!({"completions": 3, "parallelism": 2, "ttlSecondsAfterFinished": 100}),
            ),
        )
        .await;
    cluster.until_count(scheme::PODS, "", 2).await;
    end_pods(&cluster, "Succeeded", 3).await;
    let jobs =
        cluster.until("completion", scheme::JOBS, "", |jobs| has(&jobs[0], "Complete")).await;
    assert_eq!(jobs[0]["status"]["succeeded"], 3, "{:#}", jobs[0]["status"]);
    assert!(
        cluster
            .list(scheme::PODS, "")
            .await
            .iter()
            .all(|pod| pod["metadata"]["finalizers"].is_null())
    );
    cluster.until_count(scheme::JOBS, "", 0).await;
    cluster.until_count(scheme::PODS, "", 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_job_that_is_done_at_once_was_active() {
    let cluster = Cluster::start(&["job-controller"]).await;
    let options = ListOptions::default();
    let mut seen = cluster.client.watch(&Scope::all(scheme::JOBS), &options).await.unwrap();
    cluster.create(scheme::JOBS, job("true", json!({}))).await;
    end_pods(&cluster, "Succeeded", 1).await;
    let mut active = vec![];
    while let Some(Ok(batch)) = seen.next().await {
        for event in batch {
            let (WatchEvent::Added(job) | WatchEvent::Modified(job)) = event else { continue };
            let job: Value = job.view().unwrap();
            if has(&job, "Complete") {
                assert!(active.contains(&json!(1)), "{active:?}");
                return;
            }
            active.push(job["status"]["active"].clone());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn ends_that_come_together_are_counted_together() {
    let cluster = Cluster::start(&["job-controller"]).await;
    let spec = json!({"completions": 20, "parallelism": 20});
    cluster.create(scheme::JOBS, job("many", spec)).await;
    let pods = cluster.until_count(scheme::PODS, "", 20).await;
    cluster.pass(10).await;
    let before = cluster.list(scheme::JOBS, "").await;
    let options = ListOptions::default();
    let mut seen = cluster.client.watch(&Scope::all(scheme::JOBS), &options).await.unwrap();
    let began = tokio::time::Instant::now();
    for name in running(&pods) {
        let ended = json!({"status": {"phase": "Succeeded"}});
        cluster.patch(&key(scheme::PODS, &name).subresource("status"), ended).await;
        tokio::time::sleep(std::time::Duration::from_millis(40)).await;
    }
    cluster.until("completion", scheme::JOBS, "", |jobs| has(&jobs[0], "Complete")).await;
    assert!(began.elapsed().as_secs() < 4, "{:?}", began.elapsed());
    let mut versions = 0;
    while let Some(Some(Ok(batch))) = seen.next().now_or_never() {
        versions += batch.len();
    }
    // The first one is how it was before.
    assert!((2..=5).contains(&versions), "{versions} versions after {:#}", before[0]);
}

#[tokio::test(start_paused = true)]
async fn pods_without_a_job_are_let_go() {
    let cluster = Cluster::start(&["job-controller"]).await;
    let made = cluster.create(scheme::JOBS, job("work", json!({"completions": 2}))).await;
    let uid = &made["metadata"]["uid"];
    let own = cluster.until_count(scheme::PODS, "", 1).await[0].clone();
    let owner = |uid: &Value| json!([{"apiVersion": "batch/v1", "kind": "Job", "name": "work", "uid": uid, "controller": true}]);
    let waits =
        |pod: &Value| pod["metadata"]["finalizers"][0] == "batch.kubernetes.io/job-tracking";
    let pod = |name: &str, owners: Value, labels: Value| {
        let mut pod = template_over(json!({"metadata": {"name": name, "ownerReferences": owners,
            "finalizers": ["batch.kubernetes.io/job-tracking"]}}));
        pod["metadata"]["labels"] = labels;
        pod
    };
    // Nobody's, and one of a Job that had this name before.
    cluster.create(scheme::PODS, pod("nobodys", Value::Null, json!({}))).await;
    cluster.create(scheme::PODS, pod("anothers", owner(&json!("other")), json!({}))).await;
    let let_go = |all: &[Value]| {
        let of = |name: &str| all.iter().find(|pod| pod["metadata"]["name"] == name).unwrap();
        !waits(of("nobodys")) && !waits(of("anothers"))
    };
    let all = cluster.until("let go", scheme::PODS, "", let_go).await;
    assert!(all.iter().any(|pod| pod["metadata"]["uid"] == own["metadata"]["uid"] && waits(pod)));
    // One that the Job selects becomes its own, and waits until its end is counted.
    let mut stray = pod("stray", Value::Null, made["spec"]["selector"]["matchLabels"].clone());
    stray["metadata"].as_object_mut().unwrap().shift_remove("finalizers");
    cluster.create(scheme::PODS, stray).await;
    let ended = json!({"status": {"phase": "Succeeded"}});
    cluster.patch(&key(scheme::PODS, "stray").subresource("status"), ended).await;
    let found = |all: &[Value]| all.iter().find(|pod| pod["metadata"]["name"] == "stray").cloned();
    let adopted = |all: &[Value]| {
        let pod = found(all).expect("it is there");
        pod["metadata"]["ownerReferences"][0]["uid"] == *uid && waits(&pod)
    };
    cluster.until("adopted", scheme::PODS, "", adopted).await;
    let counted = |all: &[Value]| all[0]["status"]["succeeded"] == 1;
    cluster.until("counted", scheme::JOBS, "", counted).await;
    // One that the Job selects no longer is nobody's and waits for nothing.
    let name = own["metadata"]["name"].as_str().unwrap();
    let labels = json!({"metadata": {"labels": {"batch.kubernetes.io/controller-uid": null}}});
    cluster.patch(&key(scheme::PODS, name), labels).await;
    let released = |all: &[Value]| {
        let pod = all.iter().find(|pod| pod["metadata"]["name"] == name).unwrap();
        pod["metadata"]["ownerReferences"].is_null() && !waits(pod)
    };
    cluster.until("released", scheme::PODS, "", released).await;
}

#[tokio::test(start_paused = true)]
async fn a_job_fails_after_so_many_attempts() {
    let cluster = Cluster::start(&["job-controller"]).await;
    cluster.create(scheme::JOBS, job("bad", json!({"backoffLimit": 1}))).await;
    end_pods(&cluster, "Failed", 2).await;
    let jobs = cluster.until("failure", scheme::JOBS, "", |jobs| has(&jobs[0], "Failed")).await;
    let conditions = jobs[0]["status"]["conditions"].as_array().unwrap();
    assert!(
        conditions.iter().any(|c| c["type"] == "Failed" && c["reason"] == "BackoffLimitExceeded")
    );
    assert_eq!(jobs[0]["status"]["failed"], 2);
}

#[tokio::test(start_paused = true)]
async fn a_suspended_job_has_no_pods() {
    let cluster = Cluster::start(&["job-controller"]).await;
    cluster.create(scheme::JOBS, job("job", json!({"parallelism": 2, "completions": 3}))).await;
    cluster.until_count(scheme::PODS, "", 2).await;
    cluster.patch(&key(scheme::JOBS, "job"), json!({"spec": {"suspend": true}})).await;
    cluster.until_count(scheme::PODS, "", 0).await;
    cluster.until("suspended", scheme::JOBS, "", |jobs| has(&jobs[0], "Suspended")).await;
    cluster.patch(&key(scheme::JOBS, "job"), json!({"spec": {"suspend": false}})).await;
    cluster.until_count(scheme::PODS, "", 2).await;
    assert_eq!(
        cluster.list(scheme::JOBS, "").await[0]["status"]["failed"],
        Value::Null,
        "that was no failure"
    );
}

#[tokio::test(start_paused = true)]
async fn a_cron_job_makes_jobs_on_time() {
    let cluster = Cluster::start(&["cronjob-controller"]).await;
    let spec = job("minute", json!({}))["spec"].clone();
    cluster.create(scheme::CRONJOBS, json!({"metadata": {"name": "minute"}, "spec": {"schedule": "*/4 * * * *", "jobTemplate": {"spec": spec}}})).await;
    let jobs = cluster.until_count(scheme::JOBS, "", 3).await;
    assert!(jobs.iter().all(|job| job["metadata"]["ownerReferences"][0]["name"] == "minute"));
    let last = cluster
        .until("status", scheme::CRONJOBS, "", |all| {
            all[0]["status"]["active"].as_array().is_some_and(|all| all.len() == 3)
        })
        .await;
    assert!(last[0]["status"]["lastScheduleTime"].as_str().unwrap().ends_with(":00Z"));
}

#[tokio::test(start_paused = true)]
async fn a_budget_counts_healthy_pods() {
    let cluster = Cluster::start(&["replicaset-controller", "disruption-controller"]).await;
    cluster.create(scheme::REPLICASETS, workload("many", json!({"replicas": 3}))).await;
    cluster.create(scheme::PODDISRUPTIONBUDGETS, json!({"metadata": {"name": "guard"}, "spec": {"minAvailable": 2, "selector": {"matchLabels": {"app": "many"}}}})).await;
    let says = |allowed: u64| {
        move |all: &[Value]| {
            all[0]["status"]["expectedPods"] == 3
                && all[0]["status"]["desiredHealthy"] == 2
                && all[0]["status"]["disruptionsAllowed"] == allowed
        }
    };
    cluster.until("none", scheme::PODDISRUPTIONBUDGETS, "", says(0)).await;
    cluster.run_pods();
    cluster.until("one", scheme::PODDISRUPTIONBUDGETS, "", says(1)).await;
    cluster
        .patch(
            &key(scheme::PODDISRUPTIONBUDGETS, "guard"),
            json!({"spec": {"selector": {"matchLabels": null}}}),
        )
        .await;
    let same = |all: &[Value]| {
        all[0]["status"]["observedGeneration"] == 2 && all[0]["status"]["expectedPods"] == 3
    };
    cluster.until("an empty selector takes all", scheme::PODDISRUPTIONBUDGETS, "", same).await;
}

#[tokio::test(start_paused = true)]
async fn an_index_that_fails_too_often_fails_alone() {
    let cluster = Cluster::start(&["job-controller"]).await;
    let template =
        json!({"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x"}]}});
    let spec = json!({"completionMode": "Indexed", "completions": 2, "parallelism": 2, "backoffLimitPerIndex": 1, "template": template});
    cluster.create(scheme::JOBS, json!({"metadata": {"name": "job"}, "spec": spec})).await;
    for round in 0..2 {
        let of = |pod: &Value| {
            pod["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"].clone()
        };
        let running = |all: &[Value]| {
            let mut alive = all.iter().filter(|pod| pod["status"]["phase"] == "Pending");
            alive.any(|pod| {
                of(pod) == "0"
                    && pod["metadata"]["annotations"]["batch.kubernetes.io/job-index-failure-count"]
                        .as_str()
                        == Some(&*round.to_string())
            })
        };
        let pods = cluster.until("a pod of index 0", scheme::PODS, "", running).await;
        let pods = pods.iter().filter(|pod| pod["status"]["phase"] == "Pending");
        for pod in pods {
            let phase = if of(pod) == "0" { "Failed" } else { "Succeeded" };
            let name = pod["metadata"]["name"].as_str().unwrap();
            cluster
                .patch(
                    &key(scheme::PODS, name).subresource("status"),
                    json!({"status": {"phase": phase}}),
                )
                .await;
        }
    }
    let jobs = cluster
        .until("failed", scheme::JOBS, "", |all| {
            let conditions = all[0]["status"]["conditions"].as_array();
            conditions.is_some_and(|all| all.iter().any(|one| one["type"] == "Failed"))
        })
        .await;
    let status = &jobs[0]["status"];
    assert_eq!((&status["failedIndexes"], &status["completedIndexes"]), (&json!("0"), &json!("1")));
    let failed =
        status["conditions"].as_array().unwrap().iter().find(|one| one["type"] == "Failed");
    assert_eq!(failed.unwrap()["reason"], "FailedIndexes");
}

#[tokio::test(start_paused = true)]
async fn a_budget_counts_what_a_custom_kind_wants_and_spares_what_does_not_work() {
    let cluster = Cluster::start(&["disruption-controller"]).await;
    let schema = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true, "properties": {
        "spec": {"type": "object", "properties": {"replicas": {"type": "integer"}}}, "status": {"type": "object", "properties": {"replicas": {"type": "integer"}}}}}});
    let scale =
        json!({"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"});
    let version = json!({"name": "v1", "served": true, "storage": true, "schema": schema, "subresources": {"scale": scale, "status": {}}});
    let definition = json!({"metadata": {"name": "farms.example.dev"}, "spec": {"group": "example.dev", "scope": "Namespaced",
        "names": {"plural": "farms", "singular": "farm", "kind": "Farm", "listKind": "FarmList"}, "versions": [version]}});
    cluster.create(scheme::CUSTOMRESOURCEDEFINITIONS, definition).await;
    cluster
        .until("established", scheme::CUSTOMRESOURCEDEFINITIONS, "", |all| {
            let conditions = all[0]["status"]["conditions"].as_array();
            conditions.is_some_and(|all| {
                all.iter().any(|one| one["type"] == "Established" && one["status"] == "True")
            })
        })
        .await;
    let farms = windlass_core::scheme::GroupVersionResource::new("example.dev", "v1", "farms");
    let farm = json!({"apiVersion": "example.dev/v1", "kind": "Farm", "metadata": {"name": "farm"}, "spec": {"replicas": 4}});
    let path = windlass_core::client::Key::new(farms, crate::cluster::NS, "farm");
    let farm: Value = cluster
        .client
        .create(&path, farm.to_string().into(), &Default::default())
        .await
        .unwrap()
        .view()
        .unwrap();
    let owner = json!({"apiVersion": "example.dev/v1", "kind": "Farm", "name": "farm", "uid": farm["metadata"]["uid"], "controller": true});
    for (name, ready) in [("well", "True"), ("ill", "False")] {
        let mut pod = json!({"metadata": {"name": name, "ownerReferences": [owner]}});
        pod = template_over(pod);
        cluster.create(scheme::PODS, pod).await;
        let status = json!({"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": ready}]}});
        cluster.patch(&key(scheme::PODS, name).subresource("status"), status).await;
    }
    let spec = json!({"maxUnavailable": "50%", "unhealthyPodEvictionPolicy": "AlwaysAllow", "selector": {"matchLabels": {"app": "web"}}});
    cluster
        .create(scheme::PODDISRUPTIONBUDGETS, json!({"metadata": {"name": "guard"}, "spec": spec}))
        .await;
    cluster
        .until("counted", scheme::PODDISRUPTIONBUDGETS, "", |all| {
            let status = &all[0]["status"];
            status["expectedPods"] == 4
                && status["currentHealthy"] == 1
                && status["disruptionsAllowed"] == 0
        })
        .await;
    let evict = |name: &str| {
        let eviction =
            json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}});
        let path = key(scheme::PODS, name).subresource("eviction");
        let client = cluster.client.clone();
        async move { client.create(&path, eviction.to_string().into(), &Default::default()).await }
    };
    assert!(evict("well").await.is_err(), "it is needed");
    evict("ill").await.unwrap();
    let mark = json!({"status": {"conditions": [{"type": "Ready", "status": "True"},
        {"type": "DisruptionTarget", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}});
    cluster.patch(&key(scheme::PODS, "well").subresource("status"), mark).await;
    cluster
        .until("no mark", scheme::PODS, "", |all| {
            let well = all.iter().find(|pod| pod["metadata"]["name"] == "well").unwrap();
            let mut conditions = well["status"]["conditions"].as_array().unwrap().iter();
            conditions.any(|one| one["type"] == "DisruptionTarget" && one["status"] == "False")
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_budget_allows_nothing_while_nobody_knows_how_many_pods_there_should_be() {
    let cluster = Cluster::start(&["disruption-controller"]).await;
    let set = cluster.create(scheme::REPLICASETS, workload("web", json!({"replicas": 2}))).await;
    let owner = |version: &str, kind: &str, name: &str, uid: &Value| json!([{"apiVersion": version, "kind": kind, "name": name, "uid": uid, "controller": true}]);
    let set = owner("apps/v1", "ReplicaSet", "web", &set["metadata"]["uid"]);
    for (name, owners) in [("one", set.clone()), ("two", set), ("free", json!([]))] {
        let pod = template_over(json!({"metadata": {"name": name, "ownerReferences": owners}}));
        cluster.create(scheme::PODS, pod).await;
        let ready = json!([{"type": "Ready", "status": "True"}]);
        let status = json!({"status": {"phase": "Running", "conditions": ready}});
        cluster.patch(&key(scheme::PODS, name).subresource("status"), status).await;
    }
    let spec = json!({"maxUnavailable": 1, "selector": {"matchLabels": {"app": "web"}}});
    let budget = json!({"metadata": {"name": "guard"}, "spec": spec});
    cluster.create(scheme::PODDISRUPTIONBUDGETS, budget).await;
    // A pod that nobody controls adds nothing, but counts as healthy.
    let knows = |all: &[Value]| {
        let status = &all[0]["status"];
        status["expectedPods"] == 2 && status["disruptionsAllowed"] == 2
    };
    cluster.until("known", scheme::PODDISRUPTIONBUDGETS, "", knows).await;
    let safe = |all: &[Value]| {
        let status = &all[0]["status"];
        status["disruptionsAllowed"] == 0 && status["conditions"][0]["reason"] == "SyncFailed"
    };
    let uid = json!("somebody");
    let unknown = [
        ("without a scale", owner("apps/v1", "DaemonSet", "web", &uid)),
        ("gone", owner("apps/v1", "StatefulSet", "web", &uid)),
        ("another one of this name", owner("apps/v1", "ReplicaSet", "web", &uid)),
        ("of no known kind", owner("a.b/v1", "ReplicaSet", "web", &uid)),
    ];
    for (what, owners) in unknown {
        let pod = template_over(json!({"metadata": {"name": "odd", "ownerReferences": owners}}));
        cluster.create(scheme::PODS, pod).await;
        cluster.until(what, scheme::PODDISRUPTIONBUDGETS, "", safe).await;
        let now = DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() };
        cluster.delete(&key(scheme::PODS, "odd"), now).await;
        cluster.until("known again", scheme::PODDISRUPTIONBUDGETS, "", knows).await;
    }
}

fn template_over(mut pod: Value) -> Value {
    let template = template("web", "x:1");
    pod["metadata"]["labels"] = template["metadata"]["labels"].clone();
    pod["spec"] = template["spec"].clone();
    pod
}

#[tokio::test(start_paused = true)]
async fn a_budget_that_says_nothing_expects_and_allows_nothing() {
    let cluster = Cluster::start(&["replicaset-controller", "disruption-controller"]).await;
    cluster.run_pods();
    cluster.create(scheme::REPLICASETS, workload("web", json!({"replicas": 2}))).await;
    let budget =
        json!({"metadata": {"name": "b"}, "spec": {"selector": {"matchLabels": {"app": "web"}}}});
    cluster.create(scheme::PODDISRUPTIONBUDGETS, budget).await;
    let told = |all: &[Value]| {
        let status = &all[0]["status"];
        status["currentHealthy"] == 2
            && ["desiredHealthy", "expectedPods", "disruptionsAllowed"]
                .iter()
                .all(|number| status[*number] == 0)
    };
    cluster.until("nothing", scheme::PODDISRUPTIONBUDGETS, "", told).await;
}
