//! How new nodes enter: what everybody may know of the cluster, and who may ask for a node's certificate. Clusters that are
//! put together have this, not every API server.

use super::{make, rbac};
use serde_json::{Value, json};
use windlass_core::Result;
use windlass_core::client::{Client, Key, Patch, WriteOptions};
use windlass_core::scheme;

const NAMESPACE: &str = "kube-public";
const NAME: &str = "cluster-info";
const READER: &str = "windlass:cluster-info";

/// Who may what, by the names that Kubernetes' reference gives such bindings ("TLS bootstrapping").
const BINDINGS: &str = "
create-csrs-for-bootstrapping | system:node-bootstrapper | Group | system:bootstrappers
auto-approve-csrs-for-group | system:certificates.k8s.io:certificatesigningrequests:nodeclient | Group | system:bootstrappers
auto-approve-renewals-for-nodes | system:certificates.k8s.io:certificatesigningrequests:selfnodeclient | Group | system:nodes
";

/// Publishes the cluster's address and authority (PEM) in the ConfigMap `kube-public/cluster-info`, readable by everybody,
/// and lets those with a bootstrap token ask for a node's certificate. The signatures that are in the ConfigMap stay. May be
/// called at every start.
///
/// # Errors
/// When the server refuses something.
pub async fn publish_cluster_info(
    client: &dyn Client,
    server: &str,
    authority: &str,
) -> Result<()> {
    for binding in rbac::bindings_of(BINDINGS) {
        make(client, scheme::CLUSTERROLEBINDINGS, "", unlabelled(binding)).await?;
    }
    make(client, scheme::ROLES, NAMESPACE, role()).await?;
    make(client, scheme::ROLEBINDINGS, NAMESPACE, binding()).await?;
    let data = json!({"kubeconfig": crate::pki::cluster_config(server, authority)});
    let map = json!({"metadata": {"name": NAME, "namespace": NAMESPACE}, "data": data});
    make(client, scheme::CONFIGMAPS, NAMESPACE, map).await?;
    let key = Key::new(scheme::CONFIGMAPS, NAMESPACE, NAME);
    let patch = Patch::merge(&json!({"data": data}));
    client.patch(&key, patch, &WriteOptions::default()).await.map(drop)
}

/// They are the cluster's, not Kubernetes': whoever takes them away keeps them away until the next start only.
fn unlabelled(mut binding: Value) -> Value {
    if let Some(metadata) = binding["metadata"].as_object_mut() {
        metadata.retain(|key, _| key == "name");
    }
    binding
}

fn role() -> Value {
    json!({
        "metadata": {"name": READER, "namespace": NAMESPACE},
        "rules": [{"apiGroups": [""], "resources": ["configmaps"], "resourceNames": [NAME], "verbs": ["get"]}],
    })
}

fn binding() -> Value {
    let group = "rbac.authorization.k8s.io";
    json!({
        "metadata": {"name": READER, "namespace": NAMESPACE},
        "roleRef": {"apiGroup": group, "kind": "Role", "name": READER},
        "subjects": [
            {"kind": "Group", "apiGroup": group, "name": "system:unauthenticated"},
            {"kind": "Group", "apiGroup": group, "name": "system:authenticated"},
        ],
    })
}
