use super::behavior::{History, Rules};
use super::calculator::{Scaled, Tolerance, by_share, by_value};
use super::metric::{Gathered, Reading, Sample};
use super::plan::{Plan, Snapshot, plan, scaled};
use crate::support::ops::Op;
use crate::support::testing::{at, cases, merged, pod, ready};
use crate::views::Pod;
use serde::Deserialize;
use serde_json::{Value, json};
use windlass_core::apis::autoscaling::v2::HorizontalPodAutoscaler;

#[derive(Deserialize)]
struct Case {
    name: String,
    pods: Vec<Option<i64>>,
    target: Option<i32>,
    average: Option<String>,
    #[serde(default)]
    behavior: Value,
    /// So long after the autoscaler was first looked at.
    #[serde(default)]
    after: i64,
    wanted: (Option<i32>, Option<String>, Option<String>, Option<String>),
}

fn autoscaler(target: Value, behavior: Value) -> HorizontalPodAutoscaler {
    let metric = json!({"type": "Resource", "resource": {"name": "cpu", "target": target}});
    serde_json::from_value(json!({"metadata": {"name": "a", "namespace": "ns", "uid": "u"},
        "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}, "minReplicas": 2,
            "maxReplicas": 10, "metrics": [metric], "behavior": behavior}}))
    .unwrap()
}

fn running(number: usize) -> Vec<Pod> {
    let more = json!({"spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": "100m"}}}]},
        "status": {"startTime": at(-9000).to_string()}});
    (0..number).map(|n| pod(&format!("p{n}"), "", merged(ready(-5000), more.clone()))).collect()
}

fn samples(cpu: &[Option<i64>]) -> Reading {
    let sample = |(n, milli): (usize, &Option<i64>)| {
        Some((format!("p{n}"), Sample { milli: (*milli)?, at: at(0), window: 30 }))
    };
    Reading::Pods(cpu.iter().enumerate().filter_map(sample).collect())
}

fn reason(plan: &Plan, kind: &str) -> Option<String> {
    let conditions = plan.status.conditions.as_ref()?;
    conditions.iter().find(|condition| condition.type_ == kind)?.reason.clone()
}

#[test]
fn as_many_as_the_metrics_ask_for() {
    for case in cases::<Case>(include_str!("tests/cases.yaml")) {
        let target = match (&case.average, case.target) {
            (Some(average), _) => json!({"type": "AverageValue", "averageValue": average}),
            (None, percent) => json!({"type": "Utilization", "averageUtilization": percent}),
        };
        let autoscaler = autoscaler(target, case.behavior.clone());
        let (pods, current) = (running(case.pods.len()), case.pods.len() as i32);
        let spec = &autoscaler.spec.metrics.as_ref().unwrap()[0];
        let metrics = Ok(vec![Gathered { spec, reading: Ok(samples(&case.pods)) }]);
        let replicas = (current, current);
        let now = at(case.after);
        let snapshot = Snapshot { autoscaler: &autoscaler, replicas, metrics, pods: &pods, now };
        let mut history = History { recommendations: vec![(at(0), current)], ..History::default() };
        let plan = plan(&snapshot, &mut history);
        let found = (
            plan.rescale.as_ref().map(|(replicas, _)| *replicas),
            reason(&plan, "AbleToScale"),
            reason(&plan, "ScalingActive"),
            reason(&plan, "ScalingLimited"),
        );
        assert_eq!(found, case.wanted, "{}", case.name);
    }
}

#[test]
fn what_was_done_is_told_and_counts_against_the_pace() {
    let behavior =
        json!({"scaleUp": {"policies": [{"type": "Pods", "value": 2, "periodSeconds": 60}]}});
    let autoscaler = autoscaler(json!({"type": "Utilization", "averageUtilization": 10}), behavior);
    let pods = running(2);
    let spec = &autoscaler.spec.metrics.as_ref().unwrap()[0];
    let metrics = Ok(vec![Gathered { spec, reading: Ok(samples(&[Some(90), Some(90)])) }]);
    let snapshot =
        Snapshot { autoscaler: &autoscaler, replicas: (2, 2), metrics, pods: &pods, now: at(0) };
    let mut history = History::default();
    let mut first = plan(&snapshot, &mut history);
    assert_eq!(first.rescale.as_ref().map(|(to, _)| *to), Some(4));
    scaled(&mut first, &snapshot, &mut history, (4, "why"), Ok(()));
    assert!(
        matches!(&first.events[..], [Op::Event(_, _, "SuccessfulRescale", text)] if text == "New size: 4; reason: why")
    );
    assert_eq!(first.status.current_metrics.unwrap()[0].type_, "Resource");
    let rules = Rules::of(&autoscaler, 2);
    assert_eq!(rules.pace(&mut history, 4, 10, at(30)).replicas, 4, "the period is not over");
    assert_eq!(rules.pace(&mut history, 4, 10, at(61)).replicas, 6);
    let mut failed = plan(&snapshot, &mut history);
    scaled(&mut failed, &snapshot, &mut history, (4, "why"), Err("no".into()));
    assert_eq!(reason(&failed, "AbleToScale").as_deref(), Some("FailedUpdateScale"));
}

#[test]
fn some_unknown_metrics_hold_it_from_shrinking_alone() {
    let target = json!({"type": "Utilization", "averageUtilization": 50});
    let autoscaler = autoscaler(target, Value::Null);
    let pods = running(4);
    let spec = &autoscaler.spec.metrics.as_ref().unwrap()[0];
    for (cpu, wanted) in [(100, Some(8)), (1, None)] {
        let known = Gathered { spec, reading: Ok(samples(&[Some(cpu); 4])) };
        let unknown = Gathered { spec, reading: Err("no answer".into()) };
        let metrics = Ok(vec![unknown, known]);
        let snapshot = Snapshot {
            autoscaler: &autoscaler,
            replicas: (4, 4),
            metrics,
            pods: &pods,
            now: at(900),
        };
        let mut history = History { recommendations: vec![(at(0), 1)], ..History::default() };
        let plan = plan(&snapshot, &mut history);
        assert_eq!(plan.rescale.map(|(replicas, _)| replicas), wanted, "{cpu}");
        assert!(!plan.events.is_empty(), "it is told");
    }
}

#[test]
fn one_value_for_all() {
    let pods = running(2);
    let tolerance = Tolerance { up: 0.1, down: 0.1 };
    let at = |current| Scaled { current, pods: &pods, tolerance, now: at(0) };
    for (current, value, target, wanted) in
        [(2, 3000, 1000, 6), (2, 1050, 1000, 2), (0, 2500, 1000, 3), (2, 100, 1000, 1)]
    {
        let found = by_value(&at(current), value, target).unwrap();
        assert_eq!(found.replicas, wanted, "{current} {value}");
    }
    for (asked, value, target, wanted) in
        [(2, 3000, 1000, (3, 1500)), (3, 3100, 1000, (3, 1034)), (0, 500, 1000, (1, 0))]
    {
        let found = by_share(&at(asked), asked, value, target);
        assert_eq!((found.replicas, found.usage), wanted, "{asked} {value}");
    }
}
