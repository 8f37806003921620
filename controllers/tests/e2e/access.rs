//! Roles.

use crate::cluster::{Cluster, key};
use serde_json::json;
use windlass_core::client::Key;
use windlass_core::scheme;

#[tokio::test(start_paused = true)]
async fn an_aggregated_role_follows_its_parts() {
    let cluster = Cluster::start(&["clusterrole-aggregation-controller"]).await;
    let rule = json!({"clusterRoleSelectors": [{"matchLabels": {"part": "x"}}]});
    cluster
        .create(
            scheme::CLUSTERROLES,
            json!({"metadata": {"name": "sum"}, "aggregationRule": rule, "rules": []}),
        )
        .await;
    let rules = json!([{"verbs": ["list"], "apiGroups": [""], "resources": ["nodes"]}]);
    cluster
        .create(
            scheme::CLUSTERROLES,
            json!({"metadata": {"name": "part", "labels": {"part": "x"}}, "rules": rules}),
        )
        .await;
    let sum = |all: &[serde_json::Value]| {
        all.iter().any(|role| {
            role["metadata"]["name"] == "sum" && role["rules"][0]["resources"][0] == "nodes"
        })
    };
    cluster.until("the sum", scheme::CLUSTERROLES, "", sum).await;
    cluster.patch(&key(scheme::CLUSTERROLES, "part"), json!({"metadata": {"labels": null}})).await;
    let lost = |all: &[serde_json::Value]| {
        let sum = all.iter().find(|role| role["metadata"]["name"] == "sum");
        sum.is_some_and(|role| role["rules"].as_array().is_none_or(Vec::is_empty))
    };
    cluster.until("the sum without the part", scheme::CLUSTERROLES, "", lost).await;
}

/// "Signs" by naming what it was given.
struct Signer;

impl windlass_controllers::CertificateSigner for Signer {
    fn sign(
        &self,
        request: &str,
        usages: &[String],
        _: (jiff::Timestamp, jiff::Timestamp),
    ) -> Result<String, windlass_core::component::BoxError> {
        assert!(request.starts_with("-----BEGIN CERTIFICATE REQUEST-----"));
        Ok(format!("signed for {}", usages.join(", ")))
    }
}

#[tokio::test(start_paused = true)]
async fn a_kubelets_request_is_approved_signed_and_cleaned_up() {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    let settings = windlass_controllers::Settings {
        certificates: Some(std::sync::Arc::new(Signer)),
        ..Default::default()
    };
    let controllers = [
        "certificatesigningrequest-approving-controller",
        "certificatesigningrequest-signing-controller",
        "certificatesigningrequest-cleaner-controller",
    ];
    let cluster = Cluster::with_settings(&controllers, settings).await;
    let request = STANDARD.encode(include_str!("../../src/certificates/tests/node.csr"));
    let spec = json!({"request": request, "signerName": "kubernetes.io/kube-apiserver-client-kubelet",
        "usages": ["digital signature", "client auth"]});
    let csr = json!({"metadata": {"name": "node"}, "spec": spec});
    let resource = || scheme::CERTIFICATESIGNINGREQUESTS;
    cluster.create(resource(), csr).await;
    let certificate = STANDARD.encode("signed for digital signature, client auth");
    let signed = |all: &[serde_json::Value]| {
        all.iter().any(|csr| {
            csr["status"]["certificate"] == certificate.as_str()
                && csr["status"]["conditions"][0]["reason"] == "AutoApproved"
        })
    };
    cluster.until("a certificate", resource(), "", signed).await;
    cluster.pass(3500).await;
    cluster.until("its end", resource(), "", |all: &[serde_json::Value]| all.is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn a_token_of_old_that_nobody_uses_goes() {
    const DAY: u64 = 24 * 3600;
    let settings = windlass_controllers::Settings {
        legacy_token_clean_up_period: std::time::Duration::from_secs(10 * DAY),
        ..Default::default()
    };
    let controllers = ["legacy-serviceaccount-token-cleaner-controller"];
    let cluster = Cluster::with_settings(&controllers, settings).await;
    cluster.create(scheme::NAMESPACES, json!({"metadata": {"name": "kube-system"}})).await;
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"since": "2020-01-01"},
        "metadata": {"name": "kube-apiserver-legacy-service-account-token-tracking"}});
    let at = Key::new(scheme::CONFIGMAPS, "kube-system", "");
    cluster.client.create(&at, map.to_string().into(), &Default::default()).await.unwrap();
    let account =
        json!({"metadata": {"name": "bot"}, "secrets": [{"name": "old"}, {"name": "used"}]});
    cluster.create(scheme::SERVICEACCOUNTS, account).await;
    for name in ["old", "used", "by-hand"] {
        let notes = json!({"kubernetes.io/service-account.name": "bot"});
        cluster
            .create(
                scheme::SECRETS,
                json!({"metadata": {"name": name, "annotations": notes}, "type": "kubernetes.io/service-account-token"}),
            )
            .await;
    }
    let volume = json!({"name": "v", "secret": {"secretName": "used"}});
    let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "x"}], "volumes": [volume]}});
    cluster.create(scheme::PODS, pod).await;
    let marked = |all: &[serde_json::Value]| -> Vec<String> {
        let has = |one: &&serde_json::Value| {
            !one["metadata"]["labels"]["kubernetes.io/legacy-token-invalid-since"].is_null()
        };
        all.iter().filter(has).map(|one| one["metadata"]["name"].as_str().unwrap().into()).collect()
    };
    cluster.pass(9 * DAY).await;
    assert!(marked(&cluster.list(scheme::SECRETS, "").await).is_empty());
    cluster.pass(2 * DAY).await;
    assert_eq!(marked(&cluster.list(scheme::SECRETS, "").await), ["old"]);
    cluster.pass(12 * DAY).await;
    let left = cluster.list(scheme::SECRETS, "").await;
    let names: Vec<_> = left.iter().map(|one| one["metadata"]["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["by-hand", "used"]);
}

#[tokio::test(start_paused = true)]
async fn a_bootstrap_token_signs_until_its_time_is_over() {
    let controllers = ["bootstrap-signer-controller", "token-cleaner-controller"];
    let cluster = Cluster::start(&controllers).await;
    for name in ["kube-system", "kube-public"] {
        cluster.create(scheme::NAMESPACES, json!({"metadata": {"name": name}})).await;
    }
    let info = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cluster-info"}, "data": {"kubeconfig": "payload"}});
    let at = Key::new(scheme::CONFIGMAPS, "kube-public", "");
    cluster.client.create(&at, info.to_string().into(), &Default::default()).await.unwrap();
    let now = cluster.now();
    let end = now.checked_add(jiff::SignedDuration::from_mins(10)).unwrap();
    let data = json!({"token-id": "abcdef", "token-secret": "0123456789abcdef", "usage-bootstrap-signing": "true",
        "expiration": end.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()});
    let token = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "bootstrap-token-abcdef"},
        "type": "bootstrap.kubernetes.io/token", "stringData": data});
    let at = Key::new(scheme::SECRETS, "kube-system", "");
    cluster.client.create(&at, token.to_string().into(), &Default::default()).await.unwrap();
    let is_signed = |all: &[serde_json::Value]| {
        all.iter().any(|map| map["data"]["jws-kubeconfig-abcdef"].is_string())
    };
    cluster.until("a signature", scheme::CONFIGMAPS, "", is_signed).await;
    cluster.pass(540).await;
    assert_eq!(cluster.list(scheme::SECRETS, "").await.len(), 1, "it has a minute left");
    cluster.until_count(scheme::SECRETS, "", 0).await;
    cluster.until("no signature", scheme::CONFIGMAPS, "", |all| !is_signed(all)).await;
}
