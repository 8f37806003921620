use super::plan::{Fate, fate};
use crate::support::testing::{at, cases};
use crate::views::{Taint, Toleration};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Case {
    name: String,
    #[serde(default)]
    taints: Vec<Value>,
    #[serde(default)]
    tolerations: Vec<Toleration>,
    fate: String,
}

fn taint(given: Value) -> Taint {
    let gone = json!({"key": "node.kubernetes.io/unreachable", "effect": "NoExecute", "timeAdded": at(0).to_string()});
    serde_json::from_value(if given == "gone" { gone } else { given }).unwrap()
}

#[test]
fn tolerations_decide_how_long_a_pod_stays() {
    for case in cases::<Case>(include_str!("tests/fates.yaml")) {
        let taints: Vec<Taint> = case.taints.into_iter().map(taint).collect();
        let found = match fate(&case.tolerations, &taints, at(90), at(100)) {
            Fate::Stays => "stays".to_owned(),
            Fate::Goes => "goes".to_owned(),
            Fate::GoesIn(wait) => wait.as_secs().to_string(),
        };
        assert_eq!(found, case.fate, "{}", case.name);
    }
}
