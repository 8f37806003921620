//! What every cluster holds from its first start: namespaces, priority classes, roles, the Service `kubernetes`.

mod authentication;
mod flowcontrol;
mod nodes;
mod rbac;

pub use authentication::{Authorities, publish_authentication};
pub use flowcontrol::FlowObjects;
pub use nodes::publish_cluster_info;
pub(crate) use rbac::node_rules;
#[cfg(test)]
pub(crate) use rbac::{default_bindings, default_roles};

use bytes::Bytes;
use futures::future::try_join_all;
use rbac::reconcile::Mend;
use serde_json::{Value, json};
use std::net::IpAddr;
use windlass_core::Result;
use windlass_core::client::{Client, DeleteOptions, Key, WriteOptions};
use windlass_core::scheme::{self, GroupVersionResource};

/// Where clients inside the cluster find the API server.
#[derive(Clone, Copy, Debug)]
pub struct Endpoint {
    /// The cluster IP of the Service `kubernetes`.
    pub service_ip: IpAddr,
    /// The address the server listens on.
    pub address: IpAddr,
    /// The port it listens on.
    pub port: u16,
}

/// Makes what is missing, and sets the endpoints of the Service `kubernetes` right. May be called at every start.
///
/// # Errors
/// When the server refuses something.
pub async fn bootstrap(client: &dyn Client, endpoint: Endpoint) -> Result<()> {
    let namespaces = ["default", "kube-system", "kube-public", "kube-node-lease"];
    let named = |name: &str| json!({"metadata": {"name": name}});
    try_join_all(namespaces.map(|name| make(client, scheme::NAMESPACES, "", named(name)))).await?;
    let classes =
        [("system-cluster-critical", 2_000_000_000), ("system-node-critical", 2_000_001_000)];
    let class = |(name, value): (&str, i64)| json!({"metadata": {"name": name}, "value": value});
    try_join_all(classes.map(|c| make(client, scheme::PRIORITYCLASSES, "", class(c)))).await?;
    bootstrap_roles(client).await?;
    make(client, scheme::SERVICES, "default", service(endpoint)).await?;
    if endpoint.address.is_loopback() {
        // Nobody outside this machine can reach it, pods included.
        return Ok(());
    }
    set(client, scheme::ENDPOINTS, endpoints(endpoint)).await?;
    set(client, scheme::ENDPOINTSLICES, slice(endpoint)).await
}

/// Makes the default roles and their bindings, and adds to those that are there what they lack (authorization reference,
/// "Auto-reconciliation"). May be called at every start.
///
/// # Errors
/// When the server refuses something.
pub async fn bootstrap_roles(client: &dyn Client) -> Result<()> {
    try_join_all(rbac::roles().map(|role| keep(client, scheme::CLUSTERROLES, role))).await?;
    try_join_all(rbac::bindings().map(|b| keep(client, scheme::CLUSTERROLEBINDINGS, b))).await?;
    Ok(())
}

/// Makes an object unless it is there.
async fn make(
    client: &dyn Client,
    resource: GroupVersionResource,
    namespace: &str,
    object: Value,
) -> Result<()> {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let key = Key::new(resource.clone(), namespace, name);
    match client.get(&key).await {
        Err(error) if error.is_not_found() => {}
        other => return other.map(drop),
    }
    match client.create(&key, body(&resource, object), &WriteOptions::default()).await {
        Err(error) if !error.is_already_exists() => Err(error),
        _ => Ok(()),
    }
}

/// Makes a default role or binding, or adds to the one that is there what it lacks.
async fn keep(client: &dyn Client, resource: GroupVersionResource, wanted: Value) -> Result<()> {
    let name = wanted["metadata"]["name"].as_str().unwrap_or_default();
    let key = Key::cluster(resource.clone(), name);
    let is: Value = match client.get(&key).await {
        Ok(object) => object.view()?,
        Err(error) if error.is_not_found() => return make(client, resource, "", wanted).await,
        Err(error) => return Err(error),
    };
    match rbac::reconcile::mend(&is, &wanted) {
        Mend::Nothing => Ok(()),
        Mend::Update(mended) => {
            let body = body(&resource, mended);
            match client.update(&key, body, &WriteOptions::default()).await {
                // Another server was faster, and wants the same.
                Err(error) if error.is_conflict() => Ok(()),
                other => other.map(drop),
            }
        }
        Mend::Replace => {
            match client.delete(&key, &DeleteOptions::default()).await {
                Err(error) if !error.is_not_found() => return Err(error),
                _ => {}
            }
            make(client, resource, "", wanted).await
        }
    }
}

/// Makes an object in `default`, or gives it this content.
async fn set(client: &dyn Client, resource: GroupVersionResource, object: Value) -> Result<()> {
    let key = Key::new(resource.clone(), "default", "kubernetes");
    make(client, resource.clone(), "default", object.clone()).await?;
    client.update(&key, body(&resource, object), &WriteOptions::default()).await.map(drop)
}

fn body(resource: &GroupVersionResource, mut object: Value) -> Bytes {
    let known = scheme::Scheme::builtin().by_gvr(resource);
    object["apiVersion"] = resource.group_version().to_string().into();
    object["kind"] = known.map(|info| info.kind.to_string()).unwrap_or_default().into();
    object.to_string().into()
}

fn service(at: Endpoint) -> Value {
    json!({
        "metadata": {"name": "kubernetes", "namespace": "default",
            "labels": {"component": "apiserver", "provider": "kubernetes"}},
        "spec": {"clusterIP": at.service_ip, "clusterIPs": [at.service_ip], "type": "ClusterIP", "sessionAffinity": "None",
            "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": at.port}]},
    })
}

fn endpoints(at: Endpoint) -> Value {
    json!({
        "metadata": {"name": "kubernetes", "namespace": "default",
            "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}},
        "subsets": [{"addresses": [{"ip": at.address}], "ports": [{"name": "https", "port": at.port, "protocol": "TCP"}]}],
    })
}

fn slice(at: Endpoint) -> Value {
    let family = if at.address.is_ipv4() { "IPv4" } else { "IPv6" };
    json!({
        "metadata": {"name": "kubernetes", "namespace": "default", "labels": {"kubernetes.io/service-name": "kubernetes"}},
        "addressType": family,
        "endpoints": [{"addresses": [at.address], "conditions": {"ready": true}}],
        "ports": [{"name": "https", "port": at.port, "protocol": "TCP"}],
    })
}
