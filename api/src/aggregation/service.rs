//! What is read of APIServices.

use serde::Deserialize;
use windlass_core::scheme::GroupVersion;

/// Set on those that a server keeps for what it serves itself: `onstart` or `true`.
pub(super) const AUTOMANAGED: &str = "kube-aggregator.kubernetes.io/automanaged";

/// What is read of an APIService.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct ApiService {
    pub(super) spec: Spec,
    pub(super) status: ServiceStatus,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Spec {
    pub(super) group: String,
    pub(super) version: String,
    /// None: this server serves it.
    pub(super) service: Option<ServiceReference>,
    /// PEM in base64.
    pub(super) ca_bundle: Option<String>,
    #[serde(rename = "insecureSkipTLSVerify")]
    pub(super) insecure_skip_tls_verify: bool,
    pub(super) group_priority_minimum: i32,
    pub(super) version_priority: i32,
}

/// A Service of the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct ServiceReference {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) port: Option<u16>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct ServiceStatus {
    pub(super) conditions: Vec<Condition>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Condition {
    pub(super) r#type: String,
    pub(super) status: String,
    pub(super) reason: String,
    pub(super) message: String,
}

// === impl ApiService ===

impl ApiService {
    /// What is said of whether it is available.
    pub(super) fn available(&self) -> Option<&Condition> {
        self.status.conditions.iter().find(|condition| condition.r#type == "Available")
    }

    /// Whether it is said to be available.
    pub(super) fn is_available(&self) -> bool {
        self.available().is_some_and(|condition| condition.status == "True")
    }
}

// === impl Spec ===

impl Spec {
    pub(super) fn group_version(&self) -> GroupVersion {
        GroupVersion { group: self.group.clone().into(), version: self.version.clone().into() }
    }
}

// === impl ServiceReference ===

impl ServiceReference {
    pub(super) fn port(&self) -> u16 {
        self.port.unwrap_or(443)
    }

    /// The name in its certificate.
    pub(super) fn server_name(&self) -> String {
        format!("{}.{}.svc", self.name, self.namespace)
    }
}
