//! Variables that tell a container where services are ("Discovering services").

use serde::Deserialize;
use windlass_core::cache::Entry;

/// What is read of a Service.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ServiceView {
    spec: ServiceSpec,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ServiceSpec {
    #[serde(rename = "clusterIP")]
    cluster_ip: String,
    ports: Vec<ServicePort>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ServicePort {
    name: String,
    port: u16,
    protocol: String,
}

/// The variables for a pod of `namespace`: those of the API server, and of the services beside it when it wants them.
pub(crate) fn service_variables<'a>(
    services: impl IntoIterator<Item = &'a Entry<ServiceView>>,
    namespace: &str,
    links: bool,
) -> Vec<(String, String)> {
    let mut list = Vec::new();
    for entry in services {
        let (of, name) = (entry.object.namespace(), entry.object.name());
        let is_api_server = of == "default" && name == "kubernetes";
        if is_api_server || links && of == namespace {
            variables(name, &entry.view.spec, &mut list);
        }
    }
    list
}

fn variables(name: &str, spec: &ServiceSpec, list: &mut Vec<(String, String)>) {
    let ip = spec.cluster_ip.as_str();
    let Some(first) = spec.ports.first() else { return };
    if ip.is_empty() || ip == "None" {
        return;
    }
    let prefix = upper(name);
    let host = if ip.contains(':') { format!("[{ip}]") } else { ip.to_owned() };
    let url = |port: &ServicePort| format!("{}://{host}:{}", protocol(port), port.port);
    list.push((format!("{prefix}_SERVICE_HOST"), ip.to_owned()));
    list.push((format!("{prefix}_SERVICE_PORT"), first.port.to_string()));
    for port in spec.ports.iter().filter(|port| !port.name.is_empty()) {
        list.push((format!("{prefix}_SERVICE_PORT_{}", upper(&port.name)), port.port.to_string()));
    }
    list.push((format!("{prefix}_PORT"), url(first)));
    for port in &spec.ports {
        let stem = format!("{prefix}_PORT_{}_{}", port.port, protocol(port).to_uppercase());
        list.push((stem.clone(), url(port)));
        list.push((format!("{stem}_PROTO"), protocol(port)));
        list.push((format!("{stem}_PORT"), port.port.to_string()));
        list.push((format!("{stem}_ADDR"), ip.to_owned()));
    }
}

fn protocol(port: &ServicePort) -> String {
    if port.protocol.is_empty() { "tcp".into() } else { port.protocol.to_lowercase() }
}

fn upper(name: &str) -> String {
    name.to_uppercase().replace('-', "_")
}
