//! Policies that change objects.

use super::*;
use windlass_core::scheme::{MUTATINGADMISSIONPOLICIES, MUTATINGADMISSIONPOLICYBINDINGS, PODS};

fn policy(resource: &str, mutations: Value) -> Value {
    json!({"metadata": {"name": "m.example"}, "spec": {"reinvocationPolicy": "IfNeeded", "mutations": mutations,
        "matchConstraints": {"resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": [resource]}]}}})
}

fn apply(expression: &str) -> Value {
    json!({"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": expression}})
}

fn json_patch(expression: &str) -> Value {
    json!({"patchType": "JSONPatch", "jsonPatch": {"expression": expression}})
}

impl Cluster {
    async fn mutates(&self, policy: &Value) {
        self.make(MUTATINGADMISSIONPOLICIES, "", policy).await.expect("a policy");
        let binding = json!({"metadata": {"name": "b"}, "spec": {"policyName": "m.example"}});
        self.make(MUTATINGADMISSIONPOLICYBINDINGS, "", &binding).await.expect("a binding");
    }
}

#[tokio::test]
async fn both_sorts_of_mutations_change_objects() {
    let cluster = Cluster::start().await;
    let labels = "Object{metadata: Object.metadata{labels: {'by': request.userInfo.username.replace(':', '-')}}}";
    let patch = "has(object.data) ? [] : [JSONPatch{op: 'add', path: '/metadata/annotations', value: {'a': 'c'}}, \
        JSONPatch{op: 'add', path: '/metadata/annotations/' + jsonpatch.escapeKey('d.e/f'), value: object.metadata.labels['by']}]";
    cluster.mutates(&policy("configmaps", json!([apply(labels), json_patch(patch)]))).await;
    let changed = |done: &Result<Value, Status>| {
        done.as_ref().is_ok_and(|map| map["metadata"]["labels"]["by"] == "system-admin")
    };
    let made = cluster.eventually(&named("a"), changed).await.expect("changed");
    assert_eq!(made["metadata"]["annotations"], json!({"a": "c", "d.e/f": "system-admin"}));
    let kept = json!({"metadata": {"name": "b", "labels": {"x": "y"}}, "data": {"k": "v"}});
    let made = cluster.dry(&kept).await.expect("changed");
    assert_eq!(made["metadata"]["labels"], json!({"x": "y", "by": "system-admin"}));
    assert_eq!(made["data"], json!({"k": "v"}));
}

#[tokio::test]
async fn lists_are_merged_by_their_keys() {
    let cluster = Cluster::start().await;
    let sidecar = "Object{spec: Object.spec{containers: [Object.spec.containers{name: 'mesh', image: 'mesh:1'}]}}";
    cluster.mutates(&policy("pods", json!([apply(sidecar)]))).await;
    let deadline = tokio::time::Instant::now() + SOON;
    let pod = json!({"metadata": {"generateName": "p-"}, "spec": {"containers": [{"name": "app", "image": "a"}]}});
    loop {
        let made = cluster.make(PODS, "default", &pod).await.expect("a pod");
        let containers = made["spec"]["containers"].as_array().expect("containers");
        if containers.len() == 2 {
            assert_eq!(
                (&containers[0]["name"], &containers[1]["name"]),
                (&json!("app"), &json!("mesh"))
            );
            assert_eq!(containers[1]["imagePullPolicy"], "IfNotPresent", "with defaults");
            break;
        }
        assert!(tokio::time::Instant::now() < deadline);
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_cannot_be_applied_denies() {
    let denied = "policy 'm.example' with binding 'b' denied request: ";
    for (mutation, expected) in [
        (
            apply("Object{spec: Object.wrong{}}"),
            "type mismatch: unexpected type name \"Object.wrong\", expected \"Object.spec\"",
        ),
        (
            apply("Object{nope: 'a'}"),
            "error applying patch: failed to convert patch object to typed object: ",
        ),
        (apply("Object{data: {'a': object.missing}}"), "resulted in error: no such key: missing"),
        (json_patch("[JSONPatch{op: 'remove', path: '/nope'}]"), "JSON Patch: "),
    ] {
        let cluster = Cluster::start().await;
        cluster.mutates(&policy("configmaps", json!([mutation]))).await;
        let status = cluster.eventually(&named("a"), Result::is_err).await.expect_err("denied");
        assert!(status.message.starts_with(denied), "{}", status.message);
        assert!(status.message.contains(expected), "{}", status.message);
        assert_eq!(status.code, 403);
    }
}

#[tokio::test]
async fn a_test_that_fails_changes_nothing() {
    let cluster = Cluster::start().await;
    let patch = "[JSONPatch{op: 'test', path: '/metadata/name', value: 'other'}, JSONPatch{op: 'add', path: '/data', value: {'a': 'b'}}]";
    let mark = apply("Object{metadata: Object.metadata{annotations: {'seen': 'yes'}}}");
    cluster.mutates(&policy("configmaps", json!([json_patch(patch), mark]))).await;
    let seen = |done: &Result<Value, Status>| {
        done.as_ref().is_ok_and(|map| map["metadata"]["annotations"]["seen"] == "yes")
    };
    let made = cluster.eventually(&named("a"), seen).await.expect("admitted");
    assert!(made.get("data").is_none_or(Value::is_null), "{made}");
}

#[tokio::test]
async fn mistakes_are_refused_when_a_policy_is_written() {
    let cluster = Cluster::start().await;
    for (mutation, expected) in [
        (
            apply("'a'"),
            "spec.mutations[0].applyConfiguration.expression: Invalid value: \"'a'\": must evaluate to Object but got string",
        ),
        (json_patch("Object{}"), "must evaluate to list(JSONPatch) but got Object"),
        (json_patch("[JSONPatch{nope: 'a'}]"), "undefined field 'nope'"),
        (
            json!({"patchType": "Other"}),
            "spec.mutations[0].patchType: Unsupported value: \"Other\"",
        ),
    ] {
        let made = cluster
            .make(MUTATINGADMISSIONPOLICIES, "", &policy("configmaps", json!([mutation])))
            .await;
        let status = made.expect_err("a mistake");
        assert!(status.message.contains(expected), "{}", status.message);
    }
}
