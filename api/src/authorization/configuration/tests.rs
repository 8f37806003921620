use super::*;
use serde_json::{Value, json};

fn parse(authorizers: Value) -> Result<AuthorizationConfiguration> {
    let head = "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthorizationConfiguration\n";
    AuthorizationConfiguration::parse(&format!("{head}authorizers: {authorizers}\n"))
}

fn webhook(more: Value) -> Value {
    let mut webhook = json!({"timeout": "3s", "subjectAccessReviewVersion": "v1",
        "matchConditionSubjectAccessReviewVersion": "v1", "failurePolicy": "Deny",
        "connectionInfo": {"type": "KubeConfigFile", "kubeConfigFile": "/etc/w.kubeconfig"}});
    for (key, value) in more.as_object().unwrap() {
        webhook[key] = value.clone();
    }
    json!({"type": "Webhook", "name": "w", "webhook": webhook})
}

#[test]
fn those_who_decide_keep_their_order() {
    let more = json!({"unauthorizedTTL": "1m", "cacheAuthorizedRequests": false,
        "matchConditions": [{"expression": "request.user != 'root'"}]});
    let all = parse(json!([
        webhook(more),
        {"type": "Node", "name": "node"},
        {"type": "RBAC", "name": "rbac"},
        {"type": "AlwaysDeny", "name": "never"},
    ]))
    .unwrap()
    .authorizers;
    let [
        ConfiguredAuthorizer::Webhook(file, options),
        ConfiguredAuthorizer::Node,
        ConfiguredAuthorizer::Rbac,
        ConfiguredAuthorizer::AlwaysDeny,
    ] = all.as_slice()
    else {
        panic!("{all:?}")
    };
    assert_eq!(file.to_str(), Some("/etc/w.kubeconfig"));
    assert!(options.deny);
    assert_eq!(options.within, Duration::from_secs(3));
    let cache = WebhookCache { authorized: Duration::ZERO, unauthorized: Duration::from_secs(60) };
    assert_eq!(options.cache, cache);
}

#[test]
fn what_can_not_be_is_named() {
    let rbac = json!({"type": "RBAC", "name": "rbac"});
    for (authorizers, field) in [
        (json!([]), "authorizers"),
        (json!([rbac, rbac]), "authorizers[1].type"),
        (json!([rbac, {"type": "Node", "name": "rbac"}]), "authorizers[1].name"),
        (json!([{"type": "RBAC", "name": "A b"}]), "authorizers[0].name"),
        (json!([{"type": "ABAC", "name": "abac"}]), "authorizers[0].type"),
        (json!([{"type": "Webhook", "name": "w"}]), "authorizers[0].webhook"),
        (json!([webhook(json!({"timeout": "40s"}))]), "authorizers[0].webhook.timeout"),
        (
            json!([webhook(json!({"failurePolicy": "Allow"}))]),
            "authorizers[0].webhook.failurePolicy",
        ),
        (
            json!([webhook(
                json!({"connectionInfo": {"type": "KubeConfigFile", "kubeConfigFile": "a"}})
            )]),
            "authorizers[0].webhook.connectionInfo.kubeConfigFile",
        ),
        (
            json!([webhook(json!({"matchConditions": [{"expression": "request.user +"}]}))]),
            "authorizers[0].webhook.matchConditions[0].expression",
        ),
        (
            json!([webhook(json!({"matchConditions": [{"expression": "'a'"}]}))]),
            "authorizers[0].webhook.matchConditions[0].expression",
        ),
    ] {
        assert_eq!(parse(authorizers.clone()).unwrap_err().field, field, "{authorizers}");
    }
    assert!(AuthorizationConfiguration::parse("kind: Other\n").is_err());
}

#[test]
fn what_the_guide_shows_is_read() {
    let guide = include_str!("../../../../docs/security.md");
    let all = guide.split("```yaml\n").filter_map(|part| part.split("```").next());
    let own = all.filter(|text| text.contains("kind: AuthorizationConfiguration"));
    let read: Vec<_> = own.map(|text| AuthorizationConfiguration::parse(text).unwrap()).collect();
    assert_eq!(read[0].authorizers.len(), 3);
}
