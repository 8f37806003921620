use super::{Binding, Policy, Webhooks};
use crate::strategy::{Map, Strategy};
use serde_json::{Value, json};

fn map(value: &Value) -> Map {
    value.as_object().unwrap().clone()
}

/// What is wrong with an object, in short: the field and the end of what is said.
fn wrong(strategy: &dyn Strategy, object: &Value) -> Vec<String> {
    let mut object = map(object);
    strategy.default(&mut object);
    strategy.validate(&object).iter().map(ToString::to_string).collect()
}

fn policy(more: &Value) -> Value {
    let mut spec = json!({"validations": [{"expression": "true"}], "matchConstraints": {
        "resourceRules": [rule(&json!({}))]}});
    merge(&mut spec, more);
    json!({"kind": "ValidatingAdmissionPolicy", "metadata": {"name": "p"}, "spec": spec})
}

fn rule(more: &Value) -> Value {
    let mut rule = json!({"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"],
        "resources": ["pods"]});
    merge(&mut rule, more);
    rule
}

fn merge(into: &mut Value, more: &Value) {
    for (key, value) in more.as_object().unwrap() {
        into[key] = value.clone();
    }
}

#[test]
fn rules_name_nothing_twice() {
    let of = |more: Value| {
        let hook = json!({"name": "a.b.c", "admissionReviewVersions": ["v1"], "sideEffects": "None",
            "clientConfig": {"url": "https://a"}, "rules": [rule(&more)]});
        wrong(&Webhooks, &json!({"kind": "ValidatingWebhookConfiguration", "webhooks": [hook]}))
    };
    assert_eq!(of(json!({})), [""; 0]);
    assert_eq!(of(json!({"resources": ["*", "pods/status", "*/scale"]})), [""; 0]);
    for (more, field, why) in [
        (json!({"apiGroups": []}), "apiGroups", "Required"),
        (json!({"apiGroups": ["*", "apps"]}), "apiGroups", "must not specify other API groups"),
        (json!({"apiVersions": ["*", "v1"]}), "apiVersions", "must not specify other API versions"),
        (json!({"apiVersions": [""]}), "apiVersions[0]", "Required"),
        (json!({"operations": ["*", "CREATE"]}), "operations", "must not specify other operations"),
        (json!({"operations": ["GET"]}), "operations[0]", "Unsupported value: \"GET\""),
        (json!({"resources": []}), "resources", "Required"),
        (json!({"resources": ["*/*", "pods"]}), "resources", "must not specify other resources"),
        (json!({"resources": ["*", "pods"]}), "resources", "resources without subresources"),
        (json!({"resources": ["pods/*", "pods/log"]}), "resources[1]", "if 'pods/*' is present"),
        (json!({"resources": ["*/scale", "a/scale"]}), "resources[1]", "if '*/scale' is present"),
        (json!({"scope": "Other"}), "scope", "Unsupported value"),
    ] {
        let found = of(more.clone());
        let wanted = format!("webhooks[0].rules[0].{field}: ");
        let told = found.iter().any(|one| one.starts_with(&wanted) && one.contains(why));
        assert!(told, "{more}: {found:?}");
    }
}

#[test]
fn selectors_and_kinds_of_parameters_are_looked_at() {
    let bad = json!({"matchExpressions": [{"key": "a", "operator": "Is"}]});
    let with = |key: &str| {
        let mut matching = json!({"resourceRules": [rule(&json!({}))]});
        matching[key] = bad.clone();
        matching
    };
    for key in ["namespaceSelector", "objectSelector"] {
        let place = format!("{key}.matchExpressions[0].operator");
        let found = wrong(&Policy, &policy(&json!({"matchConstraints": with(key)})));
        assert!(found[0].starts_with(&format!("spec.matchConstraints.{place}")), "{found:?}");
        let binding = json!({"kind": "ValidatingAdmissionPolicyBinding", "spec": {"policyName": "p",
            "validationActions": ["Deny"], "matchResources": with(key)}});
        let found = wrong(&Binding, &binding);
        assert!(found[0].starts_with(&format!("spec.matchResources.{place}")), "{found:?}");
        let mut hook = json!({"name": "a.b.c", "admissionReviewVersions": ["v1"],
            "sideEffects": "None", "clientConfig": {"url": "https://a"}});
        hook[key] = bad.clone();
        let found = wrong(
            &Webhooks,
            &json!({"kind": "ValidatingWebhookConfiguration", "webhooks": [hook]}),
        );
        assert!(found[0].starts_with(&format!("webhooks[0].{place}")), "{found:?}");
    }
    let of = |kind: Value| wrong(&Policy, &policy(&json!({"paramKind": kind})));
    for good in [
        json!({"apiVersion": "v1", "kind": "ConfigMap"}),
        json!({"apiVersion": "rules.example.com/v1", "kind": "Limit"}),
    ] {
        assert_eq!(of(good), [""; 0]);
    }
    for (kind, field, why) in [
        (json!({"kind": "A"}), "apiVersion", "Required"),
        (json!({"apiVersion": "a/b/c", "kind": "A"}), "apiVersion", "unexpected GroupVersion"),
        (json!({"apiVersion": "a.b/", "kind": "A"}), "apiVersion", "version must be specified"),
        (json!({"apiVersion": "A_b/v1", "kind": "A"}), "apiVersion", "RFC 1123"),
        (json!({"apiVersion": "1", "kind": "A"}), "apiVersion", "DNS-1035"),
        (json!({"apiVersion": "v1"}), "kind", "Required"),
        (json!({"apiVersion": "v1", "kind": "A b"}), "kind", "may have mixed case"),
    ] {
        let found = of(kind.clone());
        let wanted = format!("spec.paramKind.{field}: ");
        let told = found.iter().any(|one| one.starts_with(&wanted) && one.contains(why));
        assert!(told, "{kind}: {found:?}");
    }
}
