use super::*;
use crate::authentication::User;
use crate::authorization::Decision;
use crate::local::LocalClient;
use crate::server::ApiServer;
use serde_json::{Value, json};
use windlass_core::Error;
use windlass_core::client::{
    Action, ClientExt, Operation as Step, Patch, PatchType, WriteOptions, Writer,
};
use windlass_core::meta::Reason;

fn rules(value: serde_json::Value) -> Vec<Rule> {
    serde_json::from_value(value).expect("rules")
}

#[test]
fn what_is_given_must_be_held() {
    let held = rules(json!([
        {"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods", "*/scale"]},
        {"verbs": ["*"], "apiGroups": ["apps"], "resources": ["*"], "resourceNames": ["web"]},
        {"verbs": ["get"], "nonResourceURLs": ["/metrics/*"]},
    ]));
    for (rule, expected) in [
        (json!({"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}), true),
        (json!({"verbs": ["get", "watch"], "apiGroups": [""], "resources": ["pods"]}), false),
        (json!({"verbs": ["get"], "apiGroups": ["", "apps"], "resources": ["pods"]}), false),
        (json!({"verbs": ["get"], "apiGroups": [""], "resources": ["x/scale"]}), true),
        (json!({"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"]}), false),
        (json!({"verbs": ["*"], "apiGroups": [""], "resources": ["pods"]}), false),
        (
            json!({"verbs": ["*"], "apiGroups": ["apps"], "resources": ["d"], "resourceNames": ["web"]}),
            true,
        ),
        (json!({"verbs": ["*"], "apiGroups": ["apps"], "resources": ["d"]}), false),
        (json!({"verbs": ["get"], "nonResourceURLs": ["/metrics/x"]}), true),
        (json!({"verbs": ["get"], "nonResourceURLs": ["/version"]}), false),
    ] {
        assert_eq!(rules(json!([rule]))[0].is_covered_by(&held), expected, "{rule}");
    }
    let all = rules(json!([{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]));
    assert!(all[0].is_covered_by(&all) && !all[0].is_covered_by(&held));
}

/// Lets all do all, but only the administrator what gives rights away.
struct NoGiving;

#[async_trait]
impl Authorizer for NoGiving {
    async fn authorize(&self, attributes: &Attributes<'_>) -> Decision {
        let gives = matches!(attributes.verb, "escalate" | "bind");
        if gives && *attributes.user != User::admin() {
            return Decision::NoOpinion(String::new());
        }
        Decision::Allow("".into())
    }
}

/// Clients of the administrator and of one who holds nothing.
async fn clients() -> (LocalClient, LocalClient) {
    let plugin = |objects: &crate::registry::Loopback| -> Arc<dyn Admission> {
        let objects = Arc::new(objects.clone());
        Arc::new(EscalationPrevention::new(Arc::default(), Arc::new(NoGiving), objects))
    };
    let builder = ApiServer::builder().transactions().authorizer(Arc::new(NoGiving));
    let server = builder.admission_with(plugin).build().await.unwrap();
    let ann = User::new("ann", []);
    (LocalClient::new(server.clone(), User::admin()), LocalClient::new(server, ann))
}

fn role(name: &str, rules: Value) -> Value {
    json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {"name": name}, "rules": rules})
}

async fn merge(client: &LocalClient, name: &str, change: Value) -> Result<(), Error> {
    let patch = Patch { kind: PatchType::Merge, body: change.to_string().into() };
    let key = Key::cluster(scheme::CLUSTERROLES, name);
    client.patch(&key, patch, &WriteOptions::default()).await.map(drop)
}

fn forbidden(done: Result<(), Error>, how: &str) {
    let error = done.expect_err(how);
    assert_eq!(error.reason(), Some(Reason::Forbidden), "{how}: {error}");
}

#[tokio::test]
async fn a_label_gives_what_the_role_holds() {
    let (admin, ann) = clients().await;
    let strong = json!([{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]);
    let roles = Key::cluster(scheme::CLUSTERROLES, "");
    admin.create_from(&roles, &role("strong", strong.clone())).await.unwrap();
    admin.create_from(&roles, &role("weak", json!([]))).await.unwrap();

    let labels = json!({"rbac.authorization.k8s.io/aggregate-to-view": "true"});
    let labelled = json!({"metadata": {"labels": labels}});
    forbidden(merge(&ann, "strong", labelled.clone()).await, "merge");
    merge(&ann, "weak", labelled.clone()).await.expect("it gives nothing");

    let mut whole = role("strong", strong);
    whole["metadata"]["labels"] = labels;
    let key = Key::cluster(scheme::CLUSTERROLES, "strong");
    forbidden(ann.update_from(&key, &whole).await.map(drop), "update");
    let mut applied = whole.clone();
    applied.as_object_mut().unwrap().remove("rules");
    forbidden(ann.apply(&key, "ann", &applied).await.map(drop), "apply");
    let step = Step {
        patch: Some(labelled),
        ..Step::new(Action::Patch, applied.as_object().unwrap().clone())
    };
    let done = ann.transact(vec![step], &WriteOptions::default()).await;
    forbidden(done.map(drop), "transaction");

    let collected = json!({"metadata": {"finalizers": ["example.com/x"]}});
    merge(&ann, "strong", collected).await.expect("as the garbage collector does it");
}

#[tokio::test]
async fn what_is_gathered_takes_everything() {
    let (admin, ann) = clients().await;
    let roles = Key::cluster(scheme::CLUSTERROLES, "");
    let selector = json!([{"matchLabels": {"a": "b"}}]);
    let mut gathering = role("gathering", json!([]));
    gathering["aggregationRule"] = json!({"clusterRoleSelectors": selector});
    forbidden(ann.create_from(&roles, &gathering).await.map(drop), "a new one");
    admin.create_from(&roles, &gathering).await.unwrap();
    forbidden(merge(&ann, "gathering", json!({"aggregationRule": null})).await, "an old one");
    merge(&admin, "gathering", json!({"aggregationRule": null})).await.expect("he may escalate");
}
