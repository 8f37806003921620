use super::plan::{Plan, plan};
use super::schedule::Schedule;
use crate::support::ops::Op;
use crate::support::testing::merged;
use serde_json::{Value, json};
use std::time::Duration;
use windlass_core::apis::batch::v1::{CronJob, Job};

/// Its name, the CronJob, the Jobs, the time, what is done.
type Case = (&'static str, Value, Vec<Job>, &'static str, &'static [&'static str]);

#[test]
fn schedules_give_the_next_time() {
    let cases = [
        ("* * * * *", None, "2026-03-01T10:00:30Z", "2026-03-01T10:01:00Z"),
        ("*/15 * * * *", None, "2026-03-01T10:45:00Z", "2026-03-01T11:00:00Z"),
        ("0 0 1 1 *", None, "2026-03-01T10:00:00Z", "2027-01-01T00:00:00Z"),
        ("30 4 * * mon-fri", None, "2026-03-06T05:00:00Z", "2026-03-09T04:30:00Z"),
        ("0 12 13 * fri", None, "2026-03-01T00:00:00Z", "2026-03-06T12:00:00Z"),
        ("0 0 29 feb *", None, "2026-03-01T00:00:00Z", "2028-02-29T00:00:00Z"),
        ("0 0 * * 7", None, "2026-03-02T00:00:00Z", "2026-03-08T00:00:00Z"),
        ("5/20 * * * *", None, "2026-03-01T10:00:00Z", "2026-03-01T10:05:00Z"),
        ("@daily", None, "2026-03-01T10:00:00Z", "2026-03-02T00:00:00Z"),
        ("0 9 * * *", Some("Europe/Berlin"), "2026-07-01T00:00:00Z", "2026-07-01T07:00:00Z"),
        ("TZ=America/New_York 0 9 * * *", None, "2026-01-01T00:00:00Z", "2026-01-01T14:00:00Z"),
    ];
    for (text, zone, after, next) in cases {
        let schedule = Schedule::parse(text, zone).unwrap();
        assert_eq!(schedule.next(after.parse().unwrap()).unwrap().to_string(), next, "{text}");
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
    assert!(
        Schedule::parse("0 0 31 2 *", None)
            .unwrap()
            .next("2026-01-01T00:00:00Z".parse().unwrap())
            .is_none()
    );
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

#[test]
fn a_job_is_made_when_its_time_has_come() {
    const MADE: &[&str] = &["+cron-29539380", "SuccessfulCreate"];
    let running = || vec![job("one", None, "2026-03-01T10:00:00Z")];
    let policy = |policy: &str| json!({"spec": {"concurrencyPolicy": policy}, "status": {"active": [{"uid": "one", "name": "one"}]}});
    let cases: &[Case] = &[
        ("not yet", json!({}), vec![], "2026-03-01T10:30:00Z", &[]),
        ("now", json!({}), vec![], "2026-03-01T11:00:00Z", MADE),
        (
            "the last of several",
            json!({"metadata": {"creationTimestamp": "2026-03-01T05:00:00Z"}}),
            vec![],
            "2026-03-01T11:20:00Z",
            MADE,
        ),
        (
            "used already",
            json!({"status": {"lastScheduleTime": "2026-03-01T11:00:00Z"}}),
            vec![],
            "2026-03-01T11:20:00Z",
            &[],
        ),
        (
            "too late",
            json!({"spec": {"startingDeadlineSeconds": 60}}),
            vec![],
            "2026-03-01T11:20:00Z",
            &[],
        ),
        ("suspended", json!({"spec": {"suspend": true}}), vec![], "2026-03-01T11:00:00Z", &[]),
        ("two at once", policy("Allow"), running(), "2026-03-01T11:00:00Z", MADE),
        (
            "not two at once",
            policy("Forbid"),
            running(),
            "2026-03-01T11:00:00Z",
            &["JobAlreadyActive"],
        ),
        (
            "the new for the old",
            policy("Replace"),
            running(),
            "2026-03-01T11:00:00Z",
            &["-one", "+cron-29539380", "SuccessfulCreate"],
        ),
    ];
    for (name, more, jobs, now, wanted) in cases {
        let plan = plan(&cron(more.clone()), jobs, now.parse().unwrap());
        assert_eq!(short(&plan), *wanted, "{name}");
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
