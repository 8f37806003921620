//! From a Service to an address: a pure decision, and what it has to read.

use super::service::ServiceReference;
use crate::nodes::backend::{Backend, Reach, Security};
use crate::nodes::proxy::service::{EndpointSlice, Service, ready, slices};
use crate::registry::Loopback;
use crate::storage::ReadVersion;
use windlass_core::client::Key;
use windlass_core::meta::Status;
use windlass_core::scheme::SERVICES;

/// Why a Service can't be asked, in the words of the condition `Available`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) reason: &'static str,
    pub(super) message: String,
}

/// Where a Service can be asked now. `turn` says with which endpoint to begin.
pub(super) async fn find(
    objects: &Loopback,
    reference: &ServiceReference,
    turn: usize,
) -> Result<Backend, Fault> {
    let unreadable = |status: &Status| {
        let ServiceReference { namespace, name, .. } = reference;
        let message =
            format!("service/{name} in {namespace:?} cannot be checked due to: {}", status.message);
        Fault { reason: "ServiceAccessError", message }
    };
    let key = Key::new(SERVICES, reference.namespace.as_str(), reference.name.as_str());
    let service = objects.get_at(&key, ReadVersion::Any).await.map_err(|s| unreadable(&s))?;
    let service = service.map(|service| service.view::<Service>()).transpose();
    let service = service.map_err(|error| unreadable(&Status::internal(error)))?;
    let slices = match &service {
        Some(service) if is_cluster_ip(service) => {
            slices(objects, &reference.namespace, &reference.name).await
        }
        _ => Ok(Vec::new()),
    };
    locate(reference, service.as_ref(), &slices.map_err(|s| unreadable(&s))?, turn)
}

/// Where a Service can be asked, going by what is known of it.
pub(super) fn locate(
    reference: &ServiceReference,
    service: Option<&Service>,
    slices: &[EndpointSlice],
    turn: usize,
) -> Result<Backend, Fault> {
    let ServiceReference { namespace, name, .. } = reference;
    let wanted = reference.port();
    let fault = |reason, message| Err(Fault { reason, message });
    let Some(service) = service else {
        let message = format!("service/{name} in {namespace:?} is not present");
        return fault("ServiceNotFound", message);
    };
    if !is_cluster_ip(service) {
        return Ok(backend(service.spec.external_name.clone(), wanted));
    }
    let Some(port) = service.spec.ports.iter().find(|port| port.port == Some(wanted)) else {
        let message = format!("service/{name} in {namespace:?} is not listening on port {wanted}");
        return fault("ServicePortError", message);
    };
    if slices.is_empty() {
        let message = format!("cannot find endpoints for service/{name} in {namespace:?}");
        return fault("EndpointsNotFound", message);
    }
    let port = port.name.as_deref().unwrap_or_default();
    let addresses: Vec<_> = ready(slices, port)
        .filter_map(|(endpoint, port)| Some((endpoint.addresses.first()?, port)))
        .collect();
    if addresses.is_empty() {
        let message = format!(
            "endpoints for service/{name} in {namespace:?} have no addresses with port name {port:?}"
        );
        return fault("MissingEndpoints", message);
    }
    let (address, port) = addresses[turn % addresses.len()];
    Ok(backend(address.clone(), port))
}

fn is_cluster_ip(service: &Service) -> bool {
    service.spec.r#type != "ExternalName"
}

fn backend(host: String, port: u16) -> Backend {
    Backend { host, port, security: Security::Unverified, reach: Reach::Anywhere }
}
