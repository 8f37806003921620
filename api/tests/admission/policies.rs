//! Admission policies: expressions in the API itself.

use super::*;
use windlass_core::meta::Reason;
use windlass_core::scheme::{VALIDATINGADMISSIONPOLICIES, VALIDATINGADMISSIONPOLICYBINDINGS};

/// A policy about config maps.
fn policy(more: Value) -> Value {
    let mut spec = json!({"matchConstraints": {"resourceRules": [
        {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["configmaps"]}]}});
    let (Some(spec_map), Value::Object(more)) = (spec.as_object_mut(), more) else {
        panic!("objects")
    };
    spec_map.extend(more);
    json!({"metadata": {"name": "p.example"}, "spec": spec})
}

fn validations(validations: Value) -> Value {
    policy(json!({"validations": validations}))
}

impl Cluster {
    async fn policy(&self, policy: &Value, binding: Value) {
        self.make(VALIDATINGADMISSIONPOLICIES, "", policy).await.expect("a policy");
        let mut spec = json!({"policyName": "p.example", "validationActions": ["Deny"]});
        let (Some(map), Value::Object(more)) = (spec.as_object_mut(), binding) else {
            panic!("objects")
        };
        map.extend(more);
        let binding = json!({"metadata": {"name": "b"}, "spec": spec});
        self.make(VALIDATINGADMISSIONPOLICYBINDINGS, "", &binding).await.expect("a binding");
    }

    async fn denied(&self, object: &Value) -> Status {
        self.eventually(object, Result::is_err).await.expect_err("denied")
    }
}

const DENIED: &str = "ValidatingAdmissionPolicy 'p.example' with binding 'b' denied request: ";

fn message(name: &str, why: &str) -> String {
    format!("configmaps {name:?} is forbidden: {DENIED}{why}")
}

#[tokio::test]
async fn a_policy_denies_with_its_message() {
    let cluster = Cluster::start().await;
    let variables = json!([{"name": "most", "expression": "1 + 1"},
        {"name": "count", "expression": "has(object.data) ? object.data.size() : variables.most - 2"}]);
    let policy = policy(json!({"variables": variables, "validations": [
        {"expression": "variables.count <= variables.most", "messageExpression": "'at most ' + string(variables.most) + ' keys'"},
        {"expression": "object.metadata.name != 'c'", "reason": "Unauthorized"}]}));
    cluster.policy(&policy, json!({})).await;
    let many = json!({"metadata": {"name": "a"}, "data": {"a": "1", "b": "2", "c": "3"}});
    let status = cluster.denied(&many).await;
    assert_eq!(status.message, message("a", "at most 2 keys"));
    assert_eq!((status.code, status.reason), (422, Reason::Invalid));
    let causes = status.details.expect("details").causes;
    assert_eq!(causes[0].message, format!("{DENIED}at most 2 keys"));
    cluster.dry(&named("b")).await.expect("few keys");
    let status = cluster.dry(&named("c")).await.expect_err("its name");
    assert_eq!(status.message, message("c", "failed expression: object.metadata.name != 'c'"));
    assert_eq!((status.code, status.reason), (401, Reason::Unauthorized));
}

#[tokio::test]
async fn mistakes_are_refused_when_a_policy_is_written() {
    let cluster = Cluster::start().await;
    let cases = [
        (
            json!({"validations": [{"expression": "object.spec.("}]}),
            "spec.validations[0].expression: Invalid value: \"object.spec.(\": compilation failed: ERROR: <input>:1:",
        ),
        (
            json!({"validations": [{"expression": "object.metadata.name"}]}),
            "must evaluate to bool but got dyn",
        ),
        (
            json!({"validations": [{"expression": "'a'"}]}),
            "spec.validations[0].expression: Invalid value: \"'a'\": must evaluate to bool but got string",
        ),
        (json!({"validations": [{"expression": "request.nope == ''"}]}), "undefined field 'nope'"),
        (
            json!({"validations": [{"expression": "params.a == ''"}]}),
            "undeclared reference to 'params' (in container '')",
        ),
        (
            json!({"validations": [{"expression": "variables.a == ''"}]}),
            "undeclared reference to 'variables' (in container '')",
        ),
        (
            json!({"validations": [{"expression": "Object{}.a == ''"}]}),
            "undeclared reference to 'Object' (in container '')",
        ),
        (
            json!({"validations": [{"expression": "true", "messageExpression": "1"}]}),
            "spec.validations[0].messageExpression: Invalid value: \"1\": must evaluate to string but got int",
        ),
        (
            json!({"validations": [{"expression": "true", "messageExpression": "authorizer.path('/a').check('get').reason()"}]}),
            "undeclared reference to 'authorizer'",
        ),
        (
            json!({"validations": [{"expression": "true"}], "variables": [{"name": "a b", "expression": "1"}]}),
            "spec.variables[0].name: Invalid value: \"a b\": name is not a valid CEL identifier",
        ),
        (
            json!({"validations": [{"expression": "true"}], "matchConditions": [{"name": "a", "expression": "variables.a"}]}),
            "spec.matchConditions[0].expression: Invalid value: \"variables.a\": compilation failed: ",
        ),
        (
            json!({"auditAnnotations": [{"key": "a", "valueExpression": "1"}]}),
            "spec.auditAnnotations[0].valueExpression: Invalid value: \"1\": must evaluate to one of [string null_type] but got int",
        ),
        (json!({}), "validations or auditAnnotations must contain at least one item"),
    ];
    for (more, expected) in cases {
        let made = cluster.make(VALIDATINGADMISSIONPOLICIES, "", &policy(more.clone())).await;
        let status = made.expect_err("a mistake");
        assert!(status.message.contains(expected), "{more}: {}", status.message);
        assert_eq!((status.code, status.reason), (422, Reason::Invalid));
    }
}

#[tokio::test]
async fn what_fails_is_decided_by_the_failure_policy() {
    let expression = "object.data.missing == 'x'";
    let cluster = Cluster::start().await;
    cluster.policy(&validations(json!([{"expression": expression}])), json!({})).await;
    let status = cluster.denied(&json!({"metadata": {"name": "a"}, "data": {}})).await;
    let why = format!("expression '{expression}' resulted in error: no such key: ");
    assert!(status.message.starts_with(&message("a", &why)), "{}", status.message);
    let cluster = Cluster::start().await;
    let ignoring = policy(json!({"failurePolicy": "Ignore", "validations": [
        {"expression": expression}, {"expression": "object.metadata.name != 'seen'"}]}));
    cluster.policy(&ignoring, json!({})).await;
    cluster.denied(&named("seen")).await;
    cluster.dry(&named("a")).await.expect("ignored");
}

#[tokio::test]
async fn parameters_are_found_and_missed() {
    let cluster = Cluster::start().await;
    let policy = policy(json!({"paramKind": {"apiVersion": "v1", "kind": "ConfigMap"},
        "validations": [{"expression": "params == null || object.metadata.name == params.metadata.name || !has(params.data) || object.metadata.name.startsWith(params.data.prefix)",
            "messageExpression": "'must begin with ' + params.data.prefix"}]}));
    let reference = json!({"name": "limits", "parameterNotFoundAction": "Deny"});
    cluster.policy(&policy, json!({"paramRef": reference})).await;
    let status = cluster.denied(&named("a")).await;
    let why = "failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction";
    assert_eq!(status.message, message("a", why));
    // The policy would not let its own parameters in either.
    let key = Key::cluster(VALIDATINGADMISSIONPOLICYBINDINGS, "b");
    let delete = windlass_core::client::DeleteOptions::default();
    cluster.client.delete(&key, &delete).await.expect("deleted");
    cluster.eventually(&named("a"), Result::is_ok).await.expect("not bound");
    let limits = json!({"metadata": {"name": "limits"}, "data": {"prefix": "x-"}});
    cluster.config_map(&limits).await.expect("made");
    let binding = json!({"metadata": {"name": "b"}, "spec": {"policyName": "p.example", "validationActions": ["Deny"], "paramRef": reference}});
    cluster.make(VALIDATINGADMISSIONPOLICYBINDINGS, "", &binding).await.expect("bound");
    assert_eq!(cluster.denied(&named("a")).await.message, message("a", "must begin with x-"));
    cluster.dry(&named("x-a")).await.expect("as the parameters say");
}

#[tokio::test]
async fn policies_ask_the_authorizer_and_see_the_namespace() {
    let cluster = Cluster::with(|builder| builder, Arc::new(Nobody)).await;
    let allowed = "authorizer.group('').resource('pods').namespace(request.namespace).check('create').allowed()";
    let account = "authorizer.serviceAccount('default', 'a').requestResource.check('get').reason() == 'nobody may'";
    let policy = validations(json!([
        {"expression": format!("{allowed} || {account} && namespaceObject.metadata.labels['kubernetes.io/metadata.name'] != 'default'"), "message": "no"}]));
    cluster.policy(&policy, json!({})).await;
    assert_eq!(cluster.denied(&named("a")).await.message, message("a", "no"));
}

/// Nobody may do anything, so far as expressions know.
struct Nobody;

#[async_trait::async_trait]
impl Authorizer for Nobody {
    async fn authorize(
        &self,
        _: &windlass_api::authorization::Attributes<'_>,
    ) -> windlass_api::authorization::Decision {
        windlass_api::authorization::Decision::NoOpinion("nobody may".into())
    }
}

#[tokio::test]
async fn expressions_have_a_budget() {
    let cluster = Cluster::start().await;
    let heavy = "range(0).all(a, true)".replace("range(0)", "lists.range(2000)");
    let heavy = heavy.replace("true", "lists.range(2000).all(b, a + b >= 0)");
    cluster.policy(&validations(json!([{"expression": heavy}])), json!({})).await;
    let status = cluster.denied(&named("a")).await;
    let expected = "resulted in error: operation cancelled: actual cost limit exceeded";
    assert!(status.message.contains(expected), "{}", status.message);
}

#[tokio::test]
async fn types_are_checked_and_told() {
    let cluster = Cluster::start().await;
    let spec = json!({"matchConstraints": {"resourceRules": [
        {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["deployments"]}]},
        "variables": [{"name": "spec", "expression": "object.spec"}],
        "validations": [{"expression": "variables.spec.replicas < 3 && object.metadata.name != ''"}, {"expression": "object.spec.replikas < 3"}]});
    let policy = json!({"metadata": {"name": "p.example"}, "spec": spec});
    let made =
        cluster.make(VALIDATINGADMISSIONPOLICIES, "", &policy).await.expect("taken nevertheless");
    let key = Key::cluster(VALIDATINGADMISSIONPOLICIES, "p.example");
    let deadline = tokio::time::Instant::now() + SOON;
    let status = loop {
        let now =
            view(windlass_core::client::Reader::get(&cluster.client, &key).await.expect("there"));
        if now["status"]["observedGeneration"] == made["metadata"]["generation"] {
            break now["status"].clone();
        }
        assert!(tokio::time::Instant::now() < deadline, "{now}");
        tokio::task::yield_now().await;
    };
    let warnings = status["typeChecking"]["expressionWarnings"].as_array().expect("warnings");
    assert_eq!(warnings.len(), 1, "{status}");
    assert_eq!(warnings[0]["fieldRef"], "spec.validations[1].expression");
    let text = warnings[0]["warning"].as_str().expect("text");
    assert!(text.starts_with("apps/v1, Kind=Deployment: ERROR: <input>:1:"), "{text}");
    assert!(text.contains("undefined field 'replikas'"), "{text}");
}
