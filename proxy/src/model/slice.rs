//! The fields of a discovery.k8s.io/v1 EndpointSlice that the proxy reads.

use jiff::Timestamp;
use serde::Deserialize;

use super::Protocol;

/// The label that ties a slice to its Service.
pub const SERVICE_NAME_LABEL: &str = "kubernetes.io/service-name";

/// View of an EndpointSlice; its name and labels are in the object's header.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EndpointSliceView {
    /// `IPv4`, `IPv6` or `FQDN`.
    pub address_type: String,
    /// When what it tells began to change, by its annotation `endpoints.kubernetes.io/last-change-trigger-time`.
    #[serde(rename = "metadata", deserialize_with = "last_change")]
    pub last_change: Option<Timestamp>,
    /// The endpoints.
    #[serde(deserialize_with = "null_as_empty")]
    pub endpoints: Vec<EndpointView>,
    /// The ports that each of them serves.
    #[serde(deserialize_with = "null_as_empty")]
    pub ports: Vec<EndpointPortView>,
}

/// One entry of `endpoints`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EndpointView {
    /// Its addresses; only the first counts.
    pub addresses: Vec<String>,
    /// Readiness.
    pub conditions: EndpointConditions,
    /// The node it runs on.
    pub node_name: Option<String>,
    /// Its name within the Service, for DNS.
    pub hostname: Option<String>,
    /// Where it should be used from.
    pub hints: Option<EndpointHints>,
}

/// `endpoints[].conditions`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub struct EndpointConditions {
    /// Unknown means ready.
    pub ready: Option<bool>,
    /// Unknown means the same as `ready`.
    pub serving: Option<bool>,
    /// Unknown means no.
    pub terminating: Option<bool>,
}

/// `endpoints[].hints`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EndpointHints {
    /// Zones that should use the endpoint.
    pub for_zones: Vec<ZoneHint>,
    /// Nodes that should use the endpoint.
    pub for_nodes: Vec<ZoneHint>,
}

/// One entry of `forZones` or `forNodes`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ZoneHint {
    /// The zone's or node's name.
    pub name: String,
}

/// One entry of `ports`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct EndpointPortView {
    /// The name, as in the Service.
    pub name: Option<String>,
    /// The protocol.
    pub protocol: Option<Protocol>,
    /// The port; none means "not restricted", which a proxy cannot use.
    pub port: Option<u16>,
}

// === impl EndpointConditions ===

impl EndpointConditions {
    /// Ready for new connections.
    pub fn is_ready(self) -> bool {
        self.ready.unwrap_or(true)
    }

    /// Still answers while it terminates.
    pub fn is_serving_terminating(self) -> bool {
        self.terminating.unwrap_or(false) && self.serving.unwrap_or_else(|| self.is_ready())
    }
}

/// Takes the annotation out of an object's metadata; one that is no time counts as none.
fn last_change<'de, D>(deserializer: D) -> Result<Option<Timestamp>, D::Error>
where
    D: serde::Deserializer<'de>,
{
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Metadata {
        annotations: Option<Annotations>,
    }
    #[derive(Deserialize)]
    struct Annotations {
        #[serde(rename = "endpoints.kubernetes.io/last-change-trigger-time")]
        last_change: Option<String>,
    }
    let annotations = Metadata::deserialize(deserializer)?.annotations;
    let text = annotations.and_then(|annotations| annotations.last_change);
    Ok(text.and_then(|text| text.parse().ok()))
}

/// Kubernetes writes an empty list as `null` where the field is required.
fn null_as_empty<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::<Vec<T>>::deserialize(deserializer)?.unwrap_or_default())
}
