//! Default roles and bindings are kept as they should be: what is missing is added, what somebody added stays (reference:
//! "Using RBAC Authorization", auto-reconciliation).

use crate::authorization::Rule;
use crate::strategy::Map;
use serde_json::Value;

/// On objects that are not to be changed: `false`.
pub(super) const AUTOUPDATE: &str = "rbac.authorization.kubernetes.io/autoupdate";

/// What is to be done with an object that is there.
#[derive(Debug, PartialEq)]
pub(in crate::bootstrap) enum Mend {
    /// It is right, or nobody may change it.
    Nothing,
    /// This is how it should be.
    Update(Value),
    /// It can't be changed into what it should be: another one in its place.
    Replace,
}

/// A role (`rules`, `aggregationRule`) or a binding (`roleRef`, `subjects`) as it is, and as every cluster has it.
pub(in crate::bootstrap) fn mend(is: &Value, wanted: &Value) -> Mend {
    if is["metadata"]["annotations"][AUTOUPDATE] == "false" {
        return Mend::Nothing;
    }
    if is["roleRef"] != wanted["roleRef"] {
        return Mend::Replace;
    }
    let mut mended = is.clone();
    for field in ["labels", "annotations"] {
        add_missing(&mut mended["metadata"], field, &wanted["metadata"][field]);
    }
    match wanted.get("aggregationRule") {
        // Its rules are the sum of others: a controller's work.
        Some(sum) => add_items(
            &mut mended["aggregationRule"],
            "clusterRoleSelectors",
            &sum["clusterRoleSelectors"],
        ),
        None => add_rules(&mut mended, &wanted["rules"]),
    }
    add_items(&mut mended, "subjects", &wanted["subjects"]);
    if mended == *is { Mend::Nothing } else { Mend::Update(mended) }
}

fn add_missing(metadata: &mut Value, field: &str, wanted: &Value) {
    let Some(wanted) = wanted.as_object().filter(|wanted| !wanted.is_empty()) else { return };
    if metadata[field].is_null() {
        metadata[field] = Map::new().into();
    }
    let Some(own) = metadata[field].as_object_mut() else { return };
    for (key, value) in wanted {
        own.entry(key.clone()).or_insert_with(|| value.clone());
    }
}

fn add_items(object: &mut Value, field: &str, wanted: &Value) {
    let Some(wanted) = wanted.as_array() else { return };
    let is = object[field].as_array().cloned().unwrap_or_default();
    let missing: Vec<_> = wanted.iter().filter(|one| !is.contains(one)).cloned().collect();
    if !missing.is_empty() {
        object[field] = is.into_iter().chain(missing).collect();
    }
}

fn add_rules(object: &mut Value, wanted: &Value) {
    let rules = |value: &Value| -> Vec<Rule> {
        let all = value.as_array().into_iter().flatten();
        all.filter_map(|rule| serde_json::from_value(rule.clone()).ok()).collect()
    };
    let is = rules(&object["rules"]);
    let missing: Vec<_> =
        rules(wanted).into_iter().filter(|rule| !rule.is_covered_by(&is)).collect();
    if missing.is_empty() {
        return;
    }
    let mut all = object["rules"].as_array().cloned().unwrap_or_default();
    all.extend(missing.iter().filter_map(|rule| serde_json::to_value(rule).ok()));
    object["rules"] = all.into();
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn role(rules: Value) -> Value {
        json!({"metadata": {"name": "r", "labels": {"a": "own"}, "annotations": {AUTOUPDATE: "true"}}, "rules": rules})
    }

    fn updated(is: &Value, wanted: &Value) -> Value {
        match mend(is, wanted) {
            Mend::Update(mended) => mended,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn missing_rules_are_added_and_others_stay() {
        let rule = |verbs: &[&str], resource: &str| json!({"verbs": verbs, "apiGroups": [""], "resources": [resource]});
        let mut wanted = role(json!([rule(&["get", "list"], "pods"), rule(&["get"], "nodes")]));
        wanted["metadata"]["labels"] = json!({"a": "default", "b": "default"});
        assert_eq!(mend(&wanted, &wanted), Mend::Nothing);
        let own = role(json!([rule(&["delete"], "pods"), rule(&["*"], "nodes")]));
        let mended = updated(&own, &wanted);
        let expected = json!([
            rule(&["delete"], "pods"),
            rule(&["*"], "nodes"),
            rule(&["get", "list"], "pods")
        ]);
        assert_eq!(mended["rules"], expected, "nodes are covered already");
        assert_eq!(mended["metadata"]["labels"], json!({"a": "own", "b": "default"}));
        assert_eq!(mend(&mended, &wanted), Mend::Nothing, "once");
        let mut kept = own;
        kept["metadata"]["annotations"][AUTOUPDATE] = "false".into();
        assert_eq!(mend(&kept, &wanted), Mend::Nothing, "somebody wants it as it is");
    }

    #[test]
    fn sums_keep_their_rules_and_get_their_selectors() {
        let selector = |name: &str| json!({"matchLabels": {name: "true"}});
        let sum = |names: &[&str]| {
            let all: Vec<_> = names.iter().map(|name| selector(name)).collect();
            let mut role = role(json!([]));
            role["aggregationRule"] = json!({"clusterRoleSelectors": all});
            role
        };
        let mended = updated(&sum(&["own"]), &sum(&["view", "edit"]));
        let all = json!([selector("own"), selector("view"), selector("edit")]);
        assert_eq!(
            (&mended["aggregationRule"]["clusterRoleSelectors"], &mended["rules"]),
            (&all, &json!([]))
        );
    }

    #[test]
    fn bindings_get_their_subjects_back() {
        let binding = |role: &str, subjects: &[&str]| {
            json!({"metadata": {"name": "b"},
            "roleRef": {"kind": "ClusterRole", "name": role},
            "subjects": subjects.iter().map(|name| json!({"kind": "Group", "name": name})).collect::<Vec<_>>()})
        };
        let wanted = binding("r", &["a", "b"]);
        assert_eq!(
            updated(&binding("r", &["own", "b"]), &wanted),
            binding("r", &["own", "b", "a"])
        );
        assert_eq!(mend(&binding("other", &["a", "b"]), &wanted), Mend::Replace);
    }
}
