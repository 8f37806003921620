use super::{FlowSchema, PriorityLevel};
use crate::strategy::Strategy;
use serde_json::{Value, json};

fn faults(strategy: &dyn Strategy, mut object: Value) -> Vec<String> {
    let map = object.as_object_mut().expect("an object");
    strategy.default(map);
    strategy.validate(map).iter().map(|error| error.field.clone()).collect()
}

#[test]
fn schemas_are_checked_as_kubernetes_does() {
    let schema = |name: &str, precedence: i64, rule: Value| {
        json!({"metadata": {"name": name}, "spec": {"matchingPrecedence": precedence,
            "priorityLevelConfiguration": {"name": "x"}, "rules": [rule]}})
    };
    let good = json!({"subjects": [{"kind": "User", "user": {"name": "a"}}],
        "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["/a"]}]});
    assert!(faults(&FlowSchema, schema("a", 2, good.clone())).is_empty());
    for (object, fields) in [
        (schema("a", 1, good), vec!["spec.matchingPrecedence"]),
        (schema("a", 2, json!({})), vec!["spec.rules[0].subjects", "spec.rules[0]"]),
        (
            schema(
                "a",
                2,
                json!({"subjects": [{"kind": "Group", "user": {"name": "a"}}], "resourceRules": [
                {"verbs": ["*", "get"], "apiGroups": [""], "resources": []}]}),
            ),
            vec![
                "spec.rules[0].subjects[0].user",
                "spec.rules[0].subjects[0].group",
                "spec.rules[0].resourceRules[0].verbs",
                "spec.rules[0].resourceRules[0].resources",
                "spec.rules[0].resourceRules[0].namespaces",
            ],
        ),
        (
            schema(
                "catch-all",
                10_000,
                json!({"subjects": [{"kind": "User", "user": {"name": "a"}}],
            "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}]}),
            ),
            vec!["spec"],
        ),
    ] {
        assert_eq!(faults(&FlowSchema, object), fields);
    }
}

#[test]
fn levels_are_checked_as_kubernetes_does() {
    let level = |limited: Value| json!({"metadata": {"name": "a"}, "spec": {"type": "Limited", "limited": limited}});
    let queuing =
        |queuing: Value| level(json!({"limitResponse": {"type": "Queue", "queuing": queuing}}));
    assert!(faults(&PriorityLevel, queuing(json!({}))).is_empty());
    let path = "spec.limited.limitResponse.queuing";
    for (object, field) in [
        (level(json!({"lendablePercent": 101})), "spec.limited.lendablePercent".to_owned()),
        (level(json!({"limitResponse": {"type": "Queue"}})), path.to_owned()),
        (level(json!({"limitResponse": {"type": "Reject", "queuing": {}}})), path.to_owned()),
        (queuing(json!({"queues": 4, "handSize": 5})), format!("{path}.handSize")),
        (queuing(json!({"queues": 100_000, "handSize": 9})), format!("{path}.handSize")),
        (queuing(json!({"queues": -1})), format!("{path}.queues")),
        (
            json!({"metadata": {"name": "catch-all"}, "spec": {"type": "Limited", "limited": {
                "limitResponse": {"type": "Queue", "queuing": {}}}}}),
            "spec".to_owned(),
        ),
    ] {
        assert!(faults(&PriorityLevel, object).contains(&field), "{field}");
    }
    let tuned = json!({"metadata": {"name": "catch-all"}, "spec": {"type": "Limited", "limited": {
        "nominalConcurrencyShares": 9, "limitResponse": {"type": "Reject"}}}});
    assert!(faults(&PriorityLevel, tuned).is_empty());
}
