use super::plan::plan;
use serde_json::{Value, json};
use windlass_core::apis::rbac::v1::ClusterRole;

fn role(name: &str, label: &str, rules: Value) -> ClusterRole {
    serde_json::from_value(
        json!({"metadata": {"name": name, "labels": {"part": label}}, "rules": rules}),
    )
    .unwrap()
}

#[test]
fn a_sum_has_the_rules_of_its_parts() {
    let rule =
        |resource: &str| json!({"verbs": ["list"], "apiGroups": [""], "resources": [resource]});
    let roles = [
        role("a", "x", json!([rule("pods")])),
        role("b", "x", json!([rule("pods"), rule("nodes")])),
        role("c", "y", json!([rule("secrets")])),
    ];
    let mut sum = role("sum", "x", json!([]));
    assert_eq!(plan(&sum, &roles), None, "it is no sum");
    sum.aggregation_rule =
        serde_json::from_value(json!({"clusterRoleSelectors": [{"matchLabels": {"part": "x"}}]}))
            .unwrap();
    let rules = plan(&sum, &roles).unwrap();
    assert_eq!(serde_json::to_value(&rules).unwrap(), json!([rule("pods"), rule("nodes")]));
    sum.rules = Some(rules);
    assert_eq!(plan(&sum, &roles), None, "it is right already");
}
