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
