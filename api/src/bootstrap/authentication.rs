//! What other servers need to know to recognize users as this one does.

use super::make;
use serde_json::{Value, json};
use windlass_core::Result;
use windlass_core::client::{Client, Key, WriteOptions};
use windlass_core::scheme;

const NAMESPACE: &str = "kube-system";
const NAME: &str = "extension-apiserver-authentication";
const READER: &str = "extension-apiserver-authentication-reader";

/// By whose certificates users and front proxies are recognized.
#[derive(Clone, Copy, Debug)]
pub struct Authorities<'a> {
    /// Of users (PEM).
    pub clients: &'a str,
    /// Of front proxies (PEM).
    pub proxies: &'a str,
    /// The common name of the front proxy.
    pub proxy: &'a str,
}

/// Publishes them in the ConfigMap `kube-system/extension-apiserver-authentication`, for the servers of APIServices, with
/// a role to read it by. May be called at every start.
///
/// # Errors
/// When the server refuses something.
pub async fn publish_authentication(
    client: &dyn Client,
    authorities: Authorities<'_>,
) -> Result<()> {
    make(client, scheme::ROLES, NAMESPACE, role()).await?;
    make(client, scheme::ROLEBINDINGS, NAMESPACE, binding()).await?;
    let map = config_map(authorities);
    make(client, scheme::CONFIGMAPS, NAMESPACE, map.clone()).await?;
    let key = Key::new(scheme::CONFIGMAPS, NAMESPACE, NAME);
    let body = super::body(&scheme::CONFIGMAPS, map);
    client.update(&key, body, &WriteOptions::default()).await.map(drop)
}

fn config_map(Authorities { clients, proxies, proxy }: Authorities<'_>) -> Value {
    let list = |one: &str| json!([one]).to_string();
    json!({
        "metadata": {"name": NAME, "namespace": NAMESPACE},
        "data": {
            "client-ca-file": clients,
            "requestheader-client-ca-file": proxies,
            "requestheader-allowed-names": list(proxy),
            "requestheader-username-headers": list("X-Remote-User"),
            "requestheader-uid-headers": list("X-Remote-Uid"),
            "requestheader-group-headers": list("X-Remote-Group"),
            "requestheader-extra-headers-prefix": list("X-Remote-Extra-"),
        },
    })
}

fn role() -> Value {
    json!({
        "metadata": metadata(READER),
        "rules": [{"apiGroups": [""], "resources": ["configmaps"], "resourceNames": [NAME], "verbs": ["get", "list", "watch"]}],
    })
}

fn binding() -> Value {
    let user =
        |name| json!({"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": name});
    json!({
        "metadata": metadata(&format!("system::{READER}")),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": READER},
        "subjects": [user("system:kube-controller-manager"), user("system:kube-scheduler")],
    })
}

fn metadata(name: &str) -> Value {
    json!({
        "name": name, "namespace": NAMESPACE,
        "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"},
        "annotations": {"rbac.authorization.kubernetes.io/autoupdate": "true"},
    })
}
