//! Roles.

use crate::cluster::Cluster;
use serde_json::json;
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
