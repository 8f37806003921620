use super::ServiceAccount;
use crate::admission::testing::{Answer, Ask};
use crate::authentication::User;
use crate::local::LocalClient;
use crate::server::ApiServer;
use serde_json::{Value, json};
use windlass_core::client::{ClientExt, Key};
use windlass_core::scheme;

/// What becomes of pods, one after the other, in a namespace with an account.
async fn answers(account: Value, asks: Vec<Ask>) -> Vec<Answer> {
    let server = ApiServer::builder().build().await.unwrap();
    let client = LocalClient::new(server.clone(), User::admin());
    let namespace = json!({"metadata": {"name": "ns"}});
    client.create_from(&Key::cluster(scheme::NAMESPACES, ""), &namespace).await.unwrap();
    client.create_from(&Key::new(scheme::SERVICEACCOUNTS, "ns", ""), &account).await.unwrap();
    let plugin = ServiceAccount::new(|| "abcde".to_owned());
    let mut answers = vec![];
    for ask in asks {
        answers.push(ask.of(&plugin, &server).await);
    }
    answers
}

fn pod(spec: Value) -> Ask {
    Ask::create(scheme::PODS, &json!({"metadata": {"name": "x"}, "spec": spec}))
}

#[tokio::test]
async fn pods_get_what_their_account_has() {
    let account = json!({"metadata": {"name": "default"}, "imagePullSecrets": [{"name": "pull"}]});
    let mount = "/var/run/secrets/kubernetes.io/serviceaccount";
    let asks = vec![
        pod(json!({"containers": [{"name": "a"}]})),
        pod(
            json!({"containers": [{"name": "a"}], "imagePullSecrets": [{"name": "own"}], "automountServiceAccountToken": false}),
        ),
        pod(
            json!({"containers": [{"name": "a", "volumeMounts": [{"mountPath": mount, "name": "v"}]}]}),
        ),
        pod(json!({"containers": [{"name": "a"}], "volumes": [{"name": "kube-api-access-own"}]})),
        pod(json!({"containers": [], "serviceAccountName": "nobody"})),
    ];
    let all = answers(account, asks).await;
    let spec = |at: usize| all[at].result.as_ref().unwrap()["spec"].clone();
    let plain = spec(0);
    assert_eq!(plain["serviceAccountName"], "default");
    assert_eq!(plain["serviceAccount"], "default");
    assert_eq!(plain["imagePullSecrets"], json!([{"name": "pull"}]));
    assert_eq!(plain["volumes"][0]["name"], "kube-api-access-abcde");
    let mounted = json!([{"name": "kube-api-access-abcde", "readOnly": true, "mountPath": mount}]);
    assert_eq!(plain["containers"][0]["volumeMounts"], mounted);
    assert_eq!(spec(1)["imagePullSecrets"], json!([{"name": "own"}]));
    assert_eq!((&spec(1)["volumes"], &spec(2)["volumes"]), (&Value::Null, &Value::Null));
    assert_eq!(spec(3)["volumes"].as_array().unwrap().len(), 1);
    assert_eq!(spec(3)["containers"][0]["volumeMounts"][0]["name"], "kube-api-access-own");
    let why = "pods \"x\" is forbidden: error looking up service account ns/nobody: serviceaccount \"nobody\" not found";
    assert_eq!(all[4].refusal(), why);
}

#[tokio::test]
async fn an_account_may_say_which_secrets_are_used() {
    let account = json!({"metadata": {"name": "default", "annotations": {"kubernetes.io/enforce-mountable-secrets": "true"}},
        "secrets": [{"name": "known"}], "imagePullSecrets": [{"name": "pull"}]});
    let env =
        |secret: &str| json!([{"name": "E", "valueFrom": {"secretKeyRef": {"name": secret}}}]);
    let from = json!([{"secretRef": {"name": "other"}}]);
    let volume = |secret: &str| json!([{"name": "v", "secret": {"secretName": secret}}]);
    let end = "is not allowed because service account default does not reference that";
    let cases = [
        (
            json!({"volumes": volume("known"), "containers": [{"name": "a", "env": env("known")}]}),
            String::new(),
        ),
        (
            json!({"volumes": volume("other")}),
            format!("volume with secret.secretName=\"other\" {end} secret"),
        ),
        (
            json!({"containers": [{"name": "a", "env": env("other")}]}),
            format!(
                "container a with envVar E referencing secret.secretName=\"other\" {end} secret"
            ),
        ),
        (
            json!({"initContainers": [{"name": "a", "envFrom": from}]}),
            format!(
                "init container a with envFrom referencing secret.secretName=\"other\" {end} secret"
            ),
        ),
        (
            json!({"imagePullSecrets": [{"name": "pull"}, {"name": "other"}]}),
            format!("imagePullSecrets[1].name=\"other\" {end} imagePullSecret"),
        ),
    ];
    let asks = cases.iter().map(|(spec, _)| pod(spec.clone())).collect();
    for (answer, (spec, wanted)) in answers(account, asks).await.iter().zip(&cases) {
        let refusal = answer.refusal();
        let why = refusal.strip_prefix("pods \"x\" is forbidden: ").unwrap_or_default();
        assert_eq!(why, wanted, "{spec}");
    }
}

#[tokio::test]
async fn a_mirror_pod_has_nothing_of_the_servers() {
    let account = json!({"metadata": {"name": "default"}});
    let mirror = |spec: Value| {
        let annotations = json!({"kubernetes.io/config.mirror": "x"});
        Ask::create(
            scheme::PODS,
            &json!({"metadata": {"name": "x", "annotations": annotations}, "spec": spec}),
        )
    };
    let tokens =
        json!([{"name": "v", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}]);
    let cases = [
        (json!({"containers": [{"name": "a"}]}), ""),
        (
            json!({"serviceAccountName": "default"}),
            "a mirror pod may not reference service accounts",
        ),
        (
            json!({"volumes": [{"name": "v", "secret": {"secretName": "s"}}]}),
            "a mirror pod may not reference secrets",
        ),
        (json!({"volumes": tokens}), "a mirror pod may not use service account token projections"),
    ];
    let asks = cases.iter().map(|(spec, _)| mirror(spec.clone())).collect();
    for (answer, (spec, wanted)) in answers(account, asks).await.iter().zip(&cases) {
        assert!(answer.refusal().ends_with(wanted), "{spec}: {}", answer.refusal());
        assert_eq!(answer.refusal().is_empty(), wanted.is_empty(), "{spec}");
    }
}
