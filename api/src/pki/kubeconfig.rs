//! Kubeconfigs.

use super::KeyedCertificate;
use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::json;

/// A kubeconfig (YAML) by which `user` enters the cluster at `server` with a client certificate.
#[must_use]
pub fn kubeconfig(server: &str, authority: &str, user: &str, entry: &KeyedCertificate) -> String {
    let encode = |text: &str| BASE64_STANDARD.encode(text);
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "windlass", "cluster": {
            "server": server, "certificate-authority-data": encode(authority)}}],
        "users": [{"name": user, "user": {
            "client-certificate-data": encode(&entry.certificate), "client-key-data": encode(&entry.key)}}],
        "contexts": [{"name": "windlass", "context": {"cluster": "windlass", "user": user}}],
        "current-context": "windlass",
    });
    yaml_serde::to_string(&config).expect("JSON is YAML")
}

/// A kubeconfig (YAML) that says where a cluster is, and nothing of users: what is told everybody.
pub(crate) fn cluster_config(server: &str, authority: &str) -> String {
    let authority = BASE64_STANDARD.encode(authority);
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "", "cluster": {"server": server, "certificate-authority-data": authority}}],
        "contexts": [], "users": [], "current-context": "", "preferences": {},
    });
    yaml_serde::to_string(&config).expect("JSON is YAML")
}
