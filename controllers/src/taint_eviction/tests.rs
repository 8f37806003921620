use super::plan::{Fate, fate};
use crate::support::testing::at;
use crate::views::{Taint, Toleration};
use serde_json::{Value, json};
use std::time::Duration;

#[test]
fn tolerations_decide_how_long_a_pod_stays() {
    let gone = json!({"key": "node.kubernetes.io/unreachable", "effect": "NoExecute", "timeAdded": at(0).to_string()});
    let own = json!({"key": "own", "value": "x", "effect": "NoExecute"});
    let harmless = json!({"key": "own", "effect": "NoSchedule"});
    let for_a_while = json!({"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300});
    let all = json!({"operator": "Exists"});
    let seconds = |seconds| Fate::GoesIn(Duration::from_secs(seconds));
    let cases: &[(&str, Value, Value, Fate)] = &[
        ("no taint", json!([]), json!([]), Fate::Stays),
        ("another effect", json!([harmless]), json!([]), Fate::Stays),
        ("not tolerated", json!([gone]), json!([]), Fate::Goes),
        ("for a while, from when it was added", json!([gone]), json!([for_a_while]), seconds(200)),
        ("all tolerated", json!([gone, own]), json!([all]), Fate::Stays),
        ("one of two not tolerated", json!([gone, own]), json!([for_a_while]), Fate::Goes),
        (
            "value equal",
            json!([own]),
            json!([{"key": "own", "operator": "Equal", "value": "x", "effect": "NoExecute"}]),
            Fate::Stays,
        ),
        ("value not equal", json!([own]), json!([{"key": "own", "value": "y"}]), Fate::Goes),
        (
            "when nobody knows since when",
            json!([own]),
            json!([{"key": "own", "operator": "Exists", "tolerationSeconds": 30}]),
            seconds(20),
        ),
        (
            "zero is now",
            json!([own]),
            json!([{"operator": "Exists", "tolerationSeconds": 0}]),
            Fate::Goes,
        ),
    ];
    for (name, taints, tolerations, wanted) in cases {
        let taints: Vec<Taint> = serde_json::from_value(taints.clone()).unwrap();
        let tolerations: Vec<Toleration> = serde_json::from_value(tolerations.clone()).unwrap();
        assert_eq!(fate(&tolerations, &taints, at(90), at(100)), *wanted, "{name}");
    }
}
