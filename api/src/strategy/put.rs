//! What becomes of an object that is put (`PUT`) without a version, or where there is none: the strategies of
//! Kubernetes' registry say so for each kind (`AllowUnconditionalUpdate`, `AllowCreateOnUpdate`).

/// Group and resource.
type Kinds = [(&'static str, &'static str)];

/// Kinds of which only the version is replaced that the writer saw.
const CONDITIONAL: &Kinds = &[
    ("admissionregistration.k8s.io", "mutatingadmissionpolicies"),
    ("admissionregistration.k8s.io", "mutatingadmissionpolicybindings"),
    ("admissionregistration.k8s.io", "mutatingwebhookconfigurations"),
    ("admissionregistration.k8s.io", "validatingadmissionpolicies"),
    ("admissionregistration.k8s.io", "validatingadmissionpolicybindings"),
    ("admissionregistration.k8s.io", "validatingwebhookconfigurations"),
    ("apiextensions.k8s.io", "customresourcedefinitions"),
    ("apiregistration.k8s.io", "apiservices"),
    ("coordination.k8s.io", "leases"),
    ("node.k8s.io", "runtimeclasses"),
    ("policy", "poddisruptionbudgets"),
    ("storage.k8s.io", "csidrivers"),
    ("storage.k8s.io", "csinodes"),
    ("storage.k8s.io", "csistoragecapacities"),
    ("storage.k8s.io", "volumeattachments"),
];

/// Kinds that may be made so.
const CREATED: &Kinds = &[
    ("", "endpoints"),
    ("", "events"),
    ("", "limitranges"),
    ("", "services"),
    ("coordination.k8s.io", "leases"),
    ("events.k8s.io", "events"),
    ("node.k8s.io", "runtimeclasses"),
    ("rbac.authorization.k8s.io", "clusterrolebindings"),
    ("rbac.authorization.k8s.io", "clusterroles"),
    ("rbac.authorization.k8s.io", "rolebindings"),
    ("rbac.authorization.k8s.io", "roles"),
];

/// How objects of a kind are put.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Put {
    /// Only in the place of the version that the writer saw.
    pub(super) conditional: bool,
    /// Also where there is none.
    pub(super) creates: bool,
}

// === impl Put ===

impl Put {
    pub(super) fn of(group: &str, resource: &str) -> Self {
        let is_in = |kinds: &Kinds| kinds.contains(&(group, resource));
        Self { conditional: is_in(CONDITIONAL), creates: is_in(CREATED) }
    }
}
