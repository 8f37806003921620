use super::plan::{Plan, plan};
use super::schedule::Schedule;
use crate::support::ops::Op;
use crate::support::testing::{cases, merged};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;
use windlass_core::apis::batch::v1::{CronJob, Job};

#[derive(Deserialize)]
struct Time {
    schedule: String,
    zone: Option<String>,
    after: String,
    next: Option<String>,
}

#[test]
fn schedules_give_the_next_time() {
    for case in cases::<Time>(include_str!("tests/schedules.yaml")) {
        let schedule = Schedule::parse(&case.schedule, case.zone.as_deref()).unwrap();
        let next = schedule.next(case.after.parse().unwrap());
        assert_eq!(next.map(|next| next.to_string()), case.next, "{}", case.schedule);
    }
    for text in [
        "every day",
        "* * * *",
        "60 * * * *",
        "* * 0 * *",
        "*/0 * * * *",
        "5-1 * * * *",
        "@often",
        "TZ=Nowhere * * * * *",
    ] {
        assert!(Schedule::parse(text, None).is_err(), "{text}");
    }
}

fn cron(more: Value) -> CronJob {
    let base = json!({"metadata": {"name": "cron", "namespace": "ns", "uid": "u", "creationTimestamp": "2026-03-01T10:00:00Z"},
        "spec": {"schedule": "0 * * * *", "jobTemplate": {"spec": {"template": {}}}}});
    serde_json::from_value(merged(base, more)).unwrap()
}

fn job(name: &str, end: Option<&str>, start: &str) -> Job {
    let conditions: Vec<_> =
        end.map(|end| json!({"type": end, "status": "True"})).into_iter().collect();
    serde_json::from_value(json!({"metadata": {"name": name, "namespace": "ns", "uid": name}, "status": {"startTime": start, "conditions": conditions}})).unwrap()
}

fn short(plan: &Plan) -> Vec<String> {
    plan.ops
        .iter()
        .map(|op| match op {
            Op::Create(key, _) => format!("+{}", key.name),
            Op::Delete(key, _) => format!("-{}", key.name),
            Op::Event(_, _, reason, _) => (*reason).to_owned(),
            other => format!("{other:?}"),
        })
        .collect()
}

#[derive(Deserialize)]
struct Case {
    name: String,
    #[serde(default)]
    more: Value,
    #[serde(default)]
    running: bool,
    now: String,
    does: Vec<String>,
}

#[test]
fn a_job_is_made_when_its_time_has_come() {
    for case in cases::<Case>(include_str!("tests/times.yaml")) {
        let one = job("one", None, "2026-03-01T10:00:00Z");
        let active = json!({"status": {"active": [{"uid": "one", "name": "one"}]}});
        let (jobs, active) = if case.running { (vec![one], active) } else { (vec![], json!({})) };
        let now = format!("2026-03-01T{}Z", case.now).parse().unwrap();
        let plan = plan(&cron(merged(active, case.more)), &jobs, now);
        assert_eq!(short(&plan), case.does, "{}", case.name);
    }
    let plan = plan(&cron(json!({})), &[], "2026-03-01T10:59:30Z".parse().unwrap());
    assert_eq!(plan.again, Some(Duration::from_secs(30)));
}

#[test]
fn history_is_kept_short() {
    let jobs = [
        job("a", Some("Complete"), "2026-03-01T01:00:00Z"),
        job("b", Some("Complete"), "2026-03-01T02:00:00Z"),
        job("c", Some("Failed"), "2026-03-01T03:00:00Z"),
    ];
    let cron = cron(
        json!({"spec": {"successfulJobsHistoryLimit": 1}, "status": {"active": [{"uid": "b", "name": "b"}, {"uid": "x", "name": "x"}]}}),
    );
    let plan = plan(&cron, &jobs, "2026-03-01T10:30:00Z".parse().unwrap());
    assert_eq!(short(&plan), ["SawCompletedJob", "MissingJob", "-a"]);
    assert_eq!(plan.status.active, None);
}
