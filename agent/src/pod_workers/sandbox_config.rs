//! From a pod to what its sandbox is made from.

use crate::config::Config;
use crate::dns;
use crate::pod::PodExt;
use crate::resources;
use crate::runtime::{HostNamespaces, PortMapping, SandboxConfig};
use windlass_core::apis::core::v1::{Container, ContainerPort, Pod};

/// The configuration of a pod's sandbox; `resolver` is the node's resolver configuration, `handler` that of
/// its RuntimeClass.
pub(super) fn sandbox_config(
    pod: &Pod,
    config: &Config,
    resolver: &str,
    handler: String,
    attempt: u32,
) -> SandboxConfig {
    let spec = pod.pod_spec();
    let network = spec.host_network == Some(true);
    let sysctls = spec.security_context.iter().flat_map(|c| c.sysctls.iter().flatten());
    let labels = pod.metadata.labels.iter().flatten();
    let own = [
        ("io.kubernetes.pod.name", pod.name()),
        ("io.kubernetes.pod.namespace", pod.namespace()),
        ("io.kubernetes.pod.uid", pod.uid()),
    ];
    let own = own.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned()));
    SandboxConfig {
        name: pod.name().into(),
        namespace: pod.namespace().into(),
        uid: pod.uid().into(),
        attempt,
        hostname: dns::hostname(pod, config).0,
        host_namespaces: HostNamespaces {
            network,
            pid: spec.host_pid == Some(true),
            ipc: spec.host_ipc == Some(true),
        },
        share_process_namespace: spec.share_process_namespace == Some(true),
        resolv_conf: Some(dns::resolv_conf(pod, config, resolver)),
        port_mappings: if network { Vec::new() } else { port_mappings(&spec.containers) },
        sysctls: sysctls.map(|s| (s.name.clone(), s.value.clone())).collect(),
        cgroup_parent: resources::cgroup_parent(pod),
        resources: resources::of_pod(pod),
        runtime_handler: handler,
        labels: labels.map(|(k, v)| (k.clone(), v.clone())).chain(own).collect(),
        annotations: pod.metadata.annotations.clone().unwrap_or_default(),
    }
}

fn port_mappings(containers: &[Container]) -> Vec<PortMapping> {
    containers.iter().flat_map(|c| c.ports.iter().flatten()).filter_map(mapping).collect()
}

fn mapping(port: &ContainerPort) -> Option<PortMapping> {
    Some(PortMapping {
        host_ip: port.host_ip.as_deref().and_then(|ip| ip.parse().ok()),
        host_port: u16::try_from(port.host_port?).ok().filter(|port| *port > 0)?,
        container_port: u16::try_from(port.container_port).ok()?,
        protocol: port.protocol.clone().unwrap_or_else(|| "TCP".into()),
    })
}
