use super::plan::time_left;
use crate::support::testing::{at, cases};
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
struct Case {
    name: String,
    ttl: Option<i32>,
    condition: String,
    status: Option<String>,
    left: Option<u64>,
}

#[test]
fn time_runs_from_the_end() {
    for case in cases::<Case>(include_str!("tests/cases.yaml")) {
        let status = case.status.unwrap_or("True".into());
        let condition = json!({"type": case.condition, "status": status, "lastTransitionTime": at(0).to_string()});
        let job = json!({"spec": {"ttlSecondsAfterFinished": case.ttl, "template": {}}, "status": {"conditions": [condition]}});
        let left = time_left(&serde_json::from_value(job).unwrap(), at(10));
        assert_eq!(left.map(|left| left.as_secs()), case.left, "{}", case.name);
    }
}
