use super::plan::plan;
use crate::support::testing::cases;
use serde::Deserialize;
use serde_json::{Value, json};
use windlass_core::apis::rbac::v1::ClusterRole;

#[derive(Deserialize)]
struct Case {
    name: String,
    parts: Vec<(String, Vec<String>)>,
    has: Vec<String>,
    sum: Option<Vec<String>>,
}

fn rules(resources: &[String]) -> Value {
    let rule = |resource| json!({"verbs": ["list"], "apiGroups": [""], "resources": [resource]});
    resources.iter().map(rule).collect()
}

fn role(name: &str, part: &str, resources: &[String]) -> ClusterRole {
    let meta = json!({"name": name, "labels": {"part": part}});
    serde_json::from_value(json!({"metadata": meta, "rules": rules(resources)})).unwrap()
}

#[test]
fn a_sum_has_the_rules_of_its_parts() {
    for case in cases::<Case>(include_str!("tests/sums.yaml")) {
        let parts = case.parts.iter().enumerate();
        let parts: Vec<_> = parts
            .map(|(at, (part, resources))| role(&format!("part-{at}"), part, resources))
            .collect();
        let mut sum = role("sum", "x", &case.has);
        assert_eq!(plan(&sum, &parts), None, "{}: it is no sum", case.name);
        let selector = json!({"clusterRoleSelectors": [{"matchLabels": {"part": "x"}}]});
        sum.aggregation_rule = serde_json::from_value(selector).unwrap();
        let found = plan(&sum, &parts).map(|rules| json!(rules));
        assert_eq!(found, case.sum.as_deref().map(rules), "{}", case.name);
    }
}
