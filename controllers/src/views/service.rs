//! Services.

use serde::Deserialize;
use std::collections::BTreeMap;
use windlass_core::apis::IntOrString;
use windlass_core::apis::meta::v1::Time;
use windlass_core::cache::Entry;

/// What controllers read of each Service.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ServiceView {
    pub(crate) metadata: Metadata,
    pub(crate) spec: ServiceSpec,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Metadata {
    pub(crate) creation_timestamp: Option<Time>,
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ServiceSpec {
    pub(crate) selector: Option<BTreeMap<String, String>>,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    #[serde(rename = "clusterIP")]
    pub(crate) cluster_ip: String,
    #[serde(rename = "clusterIPs")]
    pub(crate) cluster_ips: Vec<String>,
    pub(crate) ip_families: Vec<String>,
    pub(crate) ports: Vec<ServicePort>,
    pub(crate) publish_not_ready_addresses: bool,
    pub(crate) traffic_distribution: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ServicePort {
    pub(crate) name: String,
    pub(crate) port: i32,
    pub(crate) protocol: String,
    pub(crate) app_protocol: Option<String>,
    pub(crate) target_port: Option<IntOrString>,
}

// === impl ServiceView ===

impl ServiceView {
    pub(crate) fn annotation(&self, key: &str) -> Option<&str> {
        self.metadata.annotations.as_ref()?.get(key).map(String::as_str)
    }
}

// === impl ServiceSpec ===

impl ServiceSpec {
    /// Whether it selects pods with these labels. One without a selector selects none.
    pub(crate) fn selects<V>(&self, pod: &Entry<V>) -> bool {
        let has = |(key, value): (&String, &String)| {
            pod.object.header().label(key).is_some_and(|found| found == value)
        };
        self.kind != "ExternalName"
            && self
                .selector
                .as_ref()
                .is_some_and(|selector| !selector.is_empty() && selector.iter().all(has))
    }

    /// It has no address of its own.
    pub(crate) fn is_headless(&self) -> bool {
        self.cluster_ip == "None"
    }
}
