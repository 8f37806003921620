use super::plan::time_left;
use crate::support::testing::at;
use serde_json::{Value, json};
use std::time::Duration;

#[test]
fn time_runs_from_the_end() {
    let job = |ttl: Value, kind: &str, status: &str| {
        let conditions =
            json!([{"type": kind, "status": status, "lastTransitionTime": at(0).to_string()}]);
        serde_json::from_value(json!({"spec": {"ttlSecondsAfterFinished": ttl, "template": {}}, "status": {"conditions": conditions}})).unwrap()
    };
    let cases = [
        (json!(60), "Complete", "True", Some(50)),
        (json!(60), "Failed", "True", Some(50)),
        (json!(5), "Complete", "True", Some(0)),
        (json!(60), "Complete", "False", None),
        (json!(60), "Suspended", "True", None),
        (json!(null), "Complete", "True", None),
    ];
    for (ttl, kind, status, wanted) in cases {
        assert_eq!(
            time_left(&job(ttl.clone(), kind, status), at(10)),
            wanted.map(Duration::from_secs),
            "{ttl} {kind} {status}"
        );
    }
}
