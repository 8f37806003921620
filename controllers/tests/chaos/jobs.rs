//! Work that ends.

use crate::cluster::{Cluster, key, template};
use crate::seeds::play;
use crate::world::{World, is_staying};
use futures::StreamExt;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use windlass_core::client::{ListOptions, Patch, Scope, WatchEvent, WriteOptions};
use windlass_core::scheme;

fn spec(name: &str) -> Value {
    let mut template = template(name, "x:1");
    template["spec"]["restartPolicy"] = "Never".into();
    json!({"template": template})
}

fn has(object: &Value, kind: &str) -> bool {
    let conditions = object["status"]["conditions"].as_array();
    conditions.is_some_and(|all| all.iter().any(|c| c["type"] == kind && c["status"] == "True"))
}

/// Ends every pod well as soon as it comes.
fn end_pods(cluster: &Cluster) {
    let client = cluster.client.clone();
    tokio::spawn(async move {
        let scope = Scope::all(scheme::PODS);
        let mut events = client.watch(&scope, &ListOptions::default()).await.unwrap();
        while let Some(Ok(batch)) = events.next().await {
            for event in batch {
                let WatchEvent::Added(pod) = event else { continue };
                let done = Patch::merge(&json!({"status": {"phase": "Succeeded"}}));
                let key = key(scheme::PODS, pod.name()).subresource("status");
                // It may be gone already.
                client.patch(&key, done, &WriteOptions::default()).await.ok();
            }
        }
    });
}

#[test]
fn jobs() {
    play("jobs", &["job-controller"], async |world: &World| {
        world.count(scheme::PODS).await;
        let mut job = json!({"metadata": {"name": "work"}, "spec": spec("work")});
        job["spec"]["completions"] = 6.into();
        job["spec"]["parallelism"] = 3.into();
        world.create(scheme::JOBS, job).await;
        world.trouble().await;
        end_pods(world);
        world.trouble().await;
        world.peace();
        let jobs = world.settles("completion", scheme::JOBS, |all| has(&all[0], "Complete")).await;
        world.assert_made(&scheme::PODS, 6);
        let status = &jobs[0]["status"];
        let pods = world.list(scheme::PODS, "").await;
        let counted: u64 = status["succeeded"].as_u64().unwrap();
        assert!(counted >= 6 && status["failed"].is_null(), "{status:#}");
        let uncounted = &status["uncountedTerminatedPods"];
        let left = |kind: &str| uncounted[kind].as_array().is_none_or(Vec::is_empty);
        assert!(left("succeeded") && left("failed"), "{status:#}");
        assert!(
            pods.iter()
                .all(|pod| pod["metadata"]["finalizers"].as_array().is_none_or(Vec::is_empty)),
            "{pods:#?}"
        );
    });
}

#[test]
fn indexed_jobs() {
    play("indexed_jobs", &["job-controller"], async |world: &World| {
        end_pods(world);
        let mut job = json!({"metadata": {"name": "work"}, "spec": spec("work")});
        for (field, value) in [
            ("completions", json!(5)),
            ("parallelism", json!(2)),
            ("completionMode", json!("Indexed")),
        ] {
            job["spec"][field] = value;
        }
        world.create(scheme::JOBS, job).await;
        world.trouble().await;
        world.peace();
        let jobs = world.settles("completion", scheme::JOBS, |all| has(&all[0], "Complete")).await;
        let status = &jobs[0]["status"];
        assert_eq!((&status["completedIndexes"], &status["succeeded"]), (&json!("0-4"), &json!(5)));
    });
}

#[test]
fn cron_jobs() {
    play("cron_jobs", &["cronjob-controller", "job-controller"], async |world: &World| {
        end_pods(world);
        world.count(scheme::JOBS).await;
        let cron = json!({"metadata": {"name": "tick"}, "spec": {"schedule": "* * * * *",
            "concurrencyPolicy": "Forbid", "successfulJobsHistoryLimit": 100,
            "jobTemplate": {"spec": spec("tick")}}});
        world.create(scheme::CRONJOBS, cron).await;
        for _ in 0..10 {
            world.trouble().await;
        }
        world.peace();
        world.pass(300).await;
        let jobs = world.list(scheme::JOBS, "").await;
        let minutes: BTreeSet<&str> = jobs
            .iter()
            .map(|job| {
                let at = &job["metadata"]["annotations"]["batch.kubernetes.io/cronjob-scheduled-timestamp"];
                at.as_str().unwrap()
            })
            .collect();
        assert_eq!(minutes.len(), jobs.len(), "one Job a minute: {jobs:#?}");
        // In five minutes of peace none is left out.
        assert!((5..=11).contains(&jobs.len()), "{minutes:?}");
        world.assert_made(&scheme::JOBS, jobs.len());
        assert!(jobs.iter().all(is_staying));
        let active = |jobs: &[Value]| jobs.iter().filter(|job| !has(job, "Complete")).count() <= 1;
        assert!(active(&jobs), "{jobs:#?}");
        let crons = world.list(scheme::CRONJOBS, "").await;
        let last = crons[0]["status"]["lastScheduleTime"].as_str().unwrap();
        assert_eq!(minutes.last(), Some(&last));
    });
}
