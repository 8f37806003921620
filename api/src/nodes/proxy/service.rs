//! From a service to one of its pods.

use super::name::SchemeNamePort;
use crate::nodes::backend::{Backend, Reach};
use crate::nodes::objects::{self, Pod};
use crate::registry::Loopback;
use serde::Deserialize;
use windlass_core::client::{Key, ListOptions, Reader, Scope};
use windlass_core::meta::{Reason, Status};
use windlass_core::scheme::{ENDPOINTSLICES, PODS, SERVICES};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Service {
    pub(crate) spec: ServiceSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ServiceSpec {
    pub(crate) r#type: String,
    pub(crate) external_name: String,
    pub(crate) ports: Vec<Port>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Port {
    pub(crate) name: Option<String>,
    pub(crate) port: Option<u16>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct EndpointSlice {
    endpoints: Vec<Endpoint>,
    ports: Vec<Port>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Endpoint {
    pub(crate) addresses: Vec<String>,
    conditions: Conditions,
    target_ref: Option<TargetRef>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Conditions {
    ready: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct TargetRef {
    kind: String,
    name: String,
}

/// A ready endpoint, and the pod it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::nodes) struct Candidate {
    pub(in crate::nodes) address: String,
    pub(in crate::nodes) port: u16,
    pub(in crate::nodes) pod: String,
}

/// A ready endpoint of the service. `turn` says with which to begin.
pub(super) async fn backend(
    objects: &Loopback,
    namespace: &str,
    asked: &SchemeNamePort<'_>,
    turn: usize,
) -> Result<Backend, Status> {
    let service = objects::find(objects, &Key::new(SERVICES, namespace, asked.name)).await?;
    let port = port_name(&service, asked)?;
    let candidates = candidates(&slices(objects, namespace, asked.name).await?, port);
    let count = candidates.len();
    for at in 0..count {
        let candidate = &candidates[(turn % count + at) % count];
        if is_pods_own(objects, namespace, candidate).await? {
            return Ok(Backend {
                host: candidate.address.clone(),
                port: candidate.port,
                security: asked.security(),
                reach: Reach::Anywhere,
            });
        }
    }
    Err(unavailable(format!("no endpoints available for service {:?}", asked.name)))
}

/// The name of the port that is asked for by name or number.
pub(in crate::nodes) fn port_name<'a>(
    service: &'a Service,
    asked: &SchemeNamePort<'a>,
) -> Result<&'a str, Status> {
    let Ok(number) = asked.port.parse::<u16>() else { return Ok(asked.port) };
    match service.spec.ports.iter().find(|port| port.port == Some(number)) {
        Some(port) => Ok(port.name.as_deref().unwrap_or_default()),
        None => {
            let name = asked.name;
            Err(unavailable(format!("no service port {number} found for service {name:?}")))
        }
    }
}

/// The ready endpoints that have a port of this name, and that port's number.
pub(crate) fn ready<'a>(
    slices: &'a [EndpointSlice],
    port: &'a str,
) -> impl Iterator<Item = (&'a Endpoint, u16)> {
    slices.iter().flat_map(move |slice| {
        let named = |known: &&Port| known.name.as_deref().unwrap_or_default() == port;
        let port = slice.ports.iter().find(named).and_then(|port| port.port);
        let ready = slice.endpoints.iter().filter(|one| one.conditions.ready != Some(false));
        ready.filter_map(move |endpoint| Some((endpoint, port?)))
    })
}

/// Those of them that are pods.
pub(in crate::nodes) fn candidates(slices: &[EndpointSlice], port: &str) -> Vec<Candidate> {
    let candidate = |(endpoint, port): (&Endpoint, u16)| {
        let pod = endpoint.target_ref.as_ref().filter(|target| target.kind == "Pod")?;
        let address = endpoint.addresses.first()?.clone();
        Some(Candidate { address, port, pod: pod.name.clone() })
    };
    ready(slices, port).filter_map(candidate).collect()
}

/// The endpoints of a service.
pub(crate) async fn slices(
    objects: &Loopback,
    namespace: &str,
    service: &str,
) -> Result<Vec<EndpointSlice>, Status> {
    let scope = Scope { resource: ENDPOINTSLICES, namespace: Some(namespace.to_owned()) };
    let label_selector = format!("kubernetes.io/service-name={service}");
    let options = ListOptions { label_selector, ..ListOptions::default() };
    let list = objects.list(&scope, &options).await.map_err(objects::status)?;
    list.items.iter().map(|slice| slice.view().map_err(objects::status)).collect()
}

/// Whoever writes endpoints must not lead the server to addresses that are no pod's.
async fn is_pods_own(
    objects: &Loopback,
    namespace: &str,
    candidate: &Candidate,
) -> Result<bool, Status> {
    let found = objects::find::<Pod>(objects, &Key::new(PODS, namespace, &candidate.pod)).await;
    let status = match found {
        Ok(pod) => pod.status,
        Err(status) if status.reason == Reason::NotFound => return Ok(false),
        Err(status) => return Err(status),
    };
    let address = &candidate.address;
    Ok(status.pod_ip == *address || status.pod_ips.iter().any(|own| own.ip == *address))
}

fn unavailable(text: String) -> Status {
    Status::failure(Reason::ServiceUnavailable, text)
}
