//! `pods/proxy`, `services/proxy` and `nodes/proxy`.

mod location;
mod name;
mod place;
pub(crate) mod service;

use super::backend::{Backend, Reach, Security};
use super::client::{NodeClient, Reply};
use super::{answer, headers, objects, tunnel};
use crate::endpoints::Body;
use crate::handler::not_allowed;
use crate::server::{Connect, ConnectCall, ConnectRequest};
use async_trait::async_trait;
use http::header::{HOST, HeaderName, HeaderValue, LOCATION};
use http::{HeaderMap, Method, Response, StatusCode, Version};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use windlass_core::meta::Status;

#[cfg(test)]
pub(super) use {
    location::rewritten,
    service::{EndpointSlice, Service, candidates, port_name},
};
pub(super) use {name::SchemeNamePort, place::Place};

/// How long the head of an answer may take: there are servers that let clients wait for news.
const ANSWER: Duration = Duration::from_secs(600);
const FORWARDED_URI: HeaderName = HeaderName::from_static("x-forwarded-uri");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// What a backend allows to other origins is not for the server's own origin.
const CORS: [&str; 4] = [
    "access-control-allow-credentials",
    "access-control-allow-headers",
    "access-control-allow-methods",
    "access-control-allow-origin",
];

/// To what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proxied {
    Pods,
    Services,
    Nodes,
}

/// Passes requests on to what objects stand for.
pub(super) struct Proxy {
    nodes: NodeClient,
    to: Proxied,
    /// Endpoints of services take turns.
    turn: AtomicUsize,
}

// === impl Proxy ===

impl Proxy {
    pub(super) fn new(nodes: NodeClient, to: Proxied) -> Self {
        Self { nodes, to, turn: AtomicUsize::new(0) }
    }

    async fn backend(&self, call: &ConnectCall<'_>) -> Result<Backend, Status> {
        let asked = call.target.name.as_deref().unwrap_or_default();
        let namespace = call.target.namespace.as_deref().unwrap_or_default();
        match self.to {
            Proxied::Pods => {
                let name = SchemeNamePort::parse("pod", asked)?;
                let pod = objects::find(call.objects, &name.pod(namespace)).await?;
                pod_backend(&name, &pod)
            }
            Proxied::Services => {
                let name = SchemeNamePort::parse("service", asked)?;
                let turn = self.turn.fetch_add(1, Ordering::Relaxed);
                service::backend(call.objects, namespace, &name, turn).await
            }
            Proxied::Nodes => {
                let name = SchemeNamePort::parse("node", asked)?;
                node_backend(&name, objects::agent(call.objects, name.name).await?)
            }
        }
    }
}

#[async_trait]
impl Connect for Proxy {
    async fn connect(
        &self,
        call: ConnectCall<'_>,
        mut request: ConnectRequest,
    ) -> Result<Response<Body>, Status> {
        if matches!(*request.method(), Method::CONNECT | Method::TRACE) {
            return Err(not_allowed());
        }
        let backend = self.backend(&call).await?;
        let place = Place::of(&call.info.path, &call.target.rest);
        let client = tunnel::asked_for(&mut request);
        if place.path.is_empty() && client.is_none() {
            return Ok(redirect(&place, request.uri().query()));
        }
        let host = prepare(&mut request, &place, &backend)?;
        let reply = self.nodes.send(&backend, request, ANSWER).await;
        let reply = reply.map_err(answer::unavailable)?;
        if let (Some(client), StatusCode::SWITCHING_PROTOCOLS) = (client, reply.response.status()) {
            return Ok(tunnel::open(client, reply));
        }
        Ok(returned(reply, &place, &[&backend.authority(), &host]))
    }
}

/// The port of a pod: the one that is asked for, else the first it has, else HTTP's.
pub(super) fn pod_backend(
    name: &SchemeNamePort<'_>,
    pod: &objects::Pod,
) -> Result<Backend, Status> {
    let mut ports = pod.spec.containers.iter().flat_map(|container| &container.ports);
    let port = match name.port_number()? {
        Some(port) => port,
        None => match (ports.next(), name.security()) {
            (Some(port), _) => port.container_port,
            (None, Security::Plain) => 80,
            (None, _) => 443,
        },
    };
    let host = pod.status.pod_ip.clone();
    if !host.parse().is_ok_and(|address| Reach::Routable.allows(address)) {
        return Err(Status::bad_request("address not allowed"));
    }
    Ok(Backend { host, port, security: name.security(), reach: Reach::Routable })
}

/// The agent, or another port of its node.
pub(super) fn node_backend(name: &SchemeNamePort<'_>, agent: Backend) -> Result<Backend, Status> {
    match name.port_number()? {
        Some(port) if port != agent.port => {
            Ok(Backend { port, security: name.security(), reach: Reach::Routable, ..agent })
        }
        _ => Ok(agent),
    }
}

/// Relative links would lead elsewhere: what is proxied begins behind a slash.
fn redirect(place: &Place<'_>, query: Option<&str>) -> Response<Body> {
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
    if let Ok(location) = HeaderValue::from_str(&format!("{}/{query}", place.prefix)) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// Makes of the client's request the backend's. Returns the host that it names.
fn prepare(
    request: &mut ConnectRequest,
    place: &Place<'_>,
    to: &Backend,
) -> Result<String, Status> {
    let uri = request.uri().clone();
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let path = if place.path.is_empty() { "/" } else { &place.path };
    let path = format!("{path}{query}").parse();
    *request.uri_mut() = path.map_err(|error| Status::bad_request(format!("the path: {error}")))?;
    *request.version_mut() = Version::HTTP_11;
    let headers = request.headers_mut();
    headers::pass_on(headers);
    let named = uri.authority().and_then(|host| HeaderValue::from_str(host.as_str()).ok());
    let named = named.or_else(|| headers.get(HOST).cloned());
    forwarded(headers, &uri, named.as_ref());
    match named {
        Some(host) if to.security != Security::Agent => drop(headers.insert(HOST, host)),
        _ => headers::set_host(headers, to),
    }
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    Ok(host.unwrap_or_default().to_owned())
}

/// Where the client believes to be.
fn forwarded(headers: &mut HeaderMap, uri: &http::Uri, host: Option<&HeaderValue>) {
    let mut tell = |name, value: Option<HeaderValue>| {
        headers.remove(&name);
        if let Some(value) = value {
            headers.insert(name, value);
        }
    };
    tell(FORWARDED_URI, HeaderValue::from_str(uri.path()).ok());
    tell(FORWARDED_HOST, host.cloned());
    tell(FORWARDED_PROTO, uri.scheme_str().and_then(|scheme| HeaderValue::from_str(scheme).ok()));
}

/// Makes of the backend's answer the client's. `hosts` are the names by which the backend may call itself.
fn returned(reply: Reply, place: &Place<'_>, hosts: &[&str]) -> Response<Body> {
    let mut response = reply.into_response();
    *response.version_mut() = Version::HTTP_11;
    let headers = response.headers_mut();
    headers::remove_hop_by_hop(headers);
    for name in CORS {
        headers.remove(name);
    }
    let location = headers.get(LOCATION).and_then(|location| location.to_str().ok());
    let moved = location.and_then(|location| location::rewritten(location, place.prefix, hosts));
    if let Some(moved) = moved.and_then(|moved| HeaderValue::from_str(&moved).ok()) {
        headers.insert(LOCATION, moved);
    }
    response
}
