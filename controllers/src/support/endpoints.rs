//! From pods to addresses and ports, for Endpoints and EndpointSlices alike.

use crate::support::wiring::Queue;
use crate::views::{BY_NODE, NodeView, Pod, Pods, ServiceSpec, ServiceView};
use std::sync::Arc;
use windlass_core::apis::IntOrString;
use windlass_core::apis::core::v1::ObjectReference;
use windlass_core::cache::{Change, Informer};
use windlass_core::controller::ObjectKey;

pub(crate) const HEADLESS_LABEL: &str = "service.kubernetes.io/headless";
pub(crate) const ZONE_LABEL: &str = "topology.kubernetes.io/zone";

pub(crate) type Services = Arc<Informer<ServiceView>>;
pub(crate) type Nodes = Arc<Informer<NodeView>>;

/// Index of services: by namespace and the first label they select.
const BY_LABEL: &str = "label";

/// One port of a service, as it is on one pod.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Port {
    pub(crate) name: String,
    pub(crate) port: i32,
    pub(crate) protocol: String,
    pub(crate) app_protocol: Option<String>,
}

/// Whether a pod is an endpoint at all: it has an address and has not ended.
pub(crate) fn is_endpoint(pod: &Pod, terminating_too: bool) -> bool {
    !pod.view.is_terminal()
        && !pod.view.status.pod_ip.is_empty()
        && (terminating_too || pod.view.metadata.deletion_timestamp.is_none())
}

/// The ports of a service on a pod. A named port that the pod has not is left out.
pub(crate) fn ports(service: &ServiceSpec, pod: &Pod) -> Vec<Port> {
    let on_pod = |wanted: &crate::views::ServicePort| {
        let port = match &wanted.target_port {
            Some(IntOrString::String(name)) => named(pod, name, &wanted.protocol)?,
            Some(IntOrString::Int(port)) if *port != 0 => *port,
            _ => wanted.port,
        };
        let protocol = protocol(&wanted.protocol).to_owned();
        Some(Port {
            name: wanted.name.clone(),
            port,
            protocol,
            app_protocol: wanted.app_protocol.clone(),
        })
    };
    service.ports.iter().filter_map(on_pod).collect()
}

fn named(pod: &Pod, name: &str, wanted: &str) -> Option<i32> {
    let ports =
        pod.view.spec.containers.iter().flat_map(|container| container.ports.iter().flatten());
    let mut fits =
        ports.filter(|port| port.name == name && protocol(&port.protocol) == protocol(wanted));
    fits.next().map(|port| port.container_port)
}

fn protocol(given: &str) -> &str {
    if given.is_empty() { "TCP" } else { given }
}

/// The host name a pod has in the DNS records of a service.
pub(crate) fn hostname(service: &str, pod: &Pod) -> Option<String> {
    let spec = &pod.view.spec;
    let inside = spec.subdomain == service && !spec.hostname.is_empty();
    inside.then(|| spec.hostname.to_string())
}

pub(crate) fn target(pod: &Pod) -> ObjectReference {
    let header = pod.object.header();
    ObjectReference {
        kind: Some("Pod".into()),
        namespace: Some(header.namespace.to_string()),
        name: Some(header.name.to_string()),
        uid: Some(header.uid.to_string()),
        ..ObjectReference::default()
    }
}

/// The pods a service selects, by name.
pub(crate) fn selected(pods: &Pods, namespace: &str, service: &ServiceSpec) -> Vec<Pod> {
    let mut all = pods.list(Some(namespace));
    all.retain(|pod| service.selects(pod));
    all
}

/// A pod that changes is a request for each service that selects it, or did.
pub(crate) fn from_pods(pods: &Pods, services: &Services, queue: &Queue) {
    services.add_index(BY_LABEL, |service| {
        let first = service.view.spec.selector.iter().flatten().next();
        let place = first.map(|(key, value)| labelled(service.object.namespace(), key, value));
        place.into_iter().collect()
    });
    let (services, queue) = (services.clone(), queue.clone());
    pods.on_change(move |change| {
        request(&services, change.entry(), &queue);
        if let Change::Updated { old, new } = change
            && old.object.header().labels != new.object.header().labels
        {
            request(&services, old, &queue);
        }
    });
}

/// A node that comes, goes or changes zone is a request for each service with pods on it.
pub(crate) fn from_nodes(nodes: &Nodes, pods: &Pods, services: &Services, queue: &Queue) {
    let (pods, services, queue) = (pods.clone(), services.clone(), queue.clone());
    nodes.on_change(move |change| {
        let zone =
            |object: &windlass_core::Object| object.header().label(ZONE_LABEL).map(str::to_owned);
        if matches!(change, Change::Updated { old, new } if zone(&old.object) == zone(&new.object))
        {
            return;
        }
        for pod in pods.by_index(BY_NODE, change.object().name()) {
            request(&services, &pod, &queue);
        }
    });
}

fn request(services: &Services, pod: &Pod, queue: &Queue) {
    let labels = pod.object.header().labels.iter();
    let places = labels.map(|(key, value)| labelled(pod.object.namespace(), key, value));
    for service in places.flat_map(|place| services.by_index(BY_LABEL, &place)) {
        if service.view.spec.selects(pod) {
            queue.add(ObjectKey::of(&service.object));
        }
    }
}

fn labelled(namespace: &str, key: &str, value: &str) -> String {
    format!("{namespace}/{key}={value}")
}
