//! Names of the built-in resources, for use in code.

use super::GroupVersionResource;

/// `bindings` of `v1`.
pub const BINDINGS: GroupVersionResource = GroupVersionResource::new("", "v1", "bindings");
/// `componentstatuses` of `v1`.
pub const COMPONENTSTATUSES: GroupVersionResource =
    GroupVersionResource::new("", "v1", "componentstatuses");
/// `configmaps` of `v1`.
pub const CONFIGMAPS: GroupVersionResource = GroupVersionResource::new("", "v1", "configmaps");
/// `endpoints` of `v1`.
pub const ENDPOINTS: GroupVersionResource = GroupVersionResource::new("", "v1", "endpoints");
/// `events` of `v1`.
pub const EVENTS: GroupVersionResource = GroupVersionResource::new("", "v1", "events");
/// `limitranges` of `v1`.
pub const LIMITRANGES: GroupVersionResource = GroupVersionResource::new("", "v1", "limitranges");
/// `namespaces` of `v1`.
pub const NAMESPACES: GroupVersionResource = GroupVersionResource::new("", "v1", "namespaces");
/// `nodes` of `v1`.
pub const NODES: GroupVersionResource = GroupVersionResource::new("", "v1", "nodes");
/// `persistentvolumeclaims` of `v1`.
pub const PERSISTENTVOLUMECLAIMS: GroupVersionResource =
    GroupVersionResource::new("", "v1", "persistentvolumeclaims");
/// `persistentvolumes` of `v1`.
pub const PERSISTENTVOLUMES: GroupVersionResource =
    GroupVersionResource::new("", "v1", "persistentvolumes");
/// `pods` of `v1`.
pub const PODS: GroupVersionResource = GroupVersionResource::new("", "v1", "pods");
/// `podtemplates` of `v1`.
pub const PODTEMPLATES: GroupVersionResource = GroupVersionResource::new("", "v1", "podtemplates");
/// `replicationcontrollers` of `v1`.
pub const REPLICATIONCONTROLLERS: GroupVersionResource =
    GroupVersionResource::new("", "v1", "replicationcontrollers");
/// `resourcequotas` of `v1`.
pub const RESOURCEQUOTAS: GroupVersionResource =
    GroupVersionResource::new("", "v1", "resourcequotas");
/// `secrets` of `v1`.
pub const SECRETS: GroupVersionResource = GroupVersionResource::new("", "v1", "secrets");
/// `serviceaccounts` of `v1`.
pub const SERVICEACCOUNTS: GroupVersionResource =
    GroupVersionResource::new("", "v1", "serviceaccounts");
/// `services` of `v1`.
pub const SERVICES: GroupVersionResource = GroupVersionResource::new("", "v1", "services");
/// `apiservices` of `apiregistration.k8s.io/v1`.
pub const APISERVICES: GroupVersionResource =
    GroupVersionResource::new("apiregistration.k8s.io", "v1", "apiservices");
/// `controllerrevisions` of `apps/v1`.
pub const CONTROLLERREVISIONS: GroupVersionResource =
    GroupVersionResource::new("apps", "v1", "controllerrevisions");
/// `daemonsets` of `apps/v1`.
pub const DAEMONSETS: GroupVersionResource = GroupVersionResource::new("apps", "v1", "daemonsets");
/// `deployments` of `apps/v1`.
pub const DEPLOYMENTS: GroupVersionResource =
    GroupVersionResource::new("apps", "v1", "deployments");
/// `replicasets` of `apps/v1`.
pub const REPLICASETS: GroupVersionResource =
    GroupVersionResource::new("apps", "v1", "replicasets");
/// `statefulsets` of `apps/v1`.
pub const STATEFULSETS: GroupVersionResource =
    GroupVersionResource::new("apps", "v1", "statefulsets");
/// `events` of `events.k8s.io/v1`.
pub const EVENTS_K8S_IO_EVENTS: GroupVersionResource =
    GroupVersionResource::new("events.k8s.io", "v1", "events");
/// `selfsubjectreviews` of `authentication.k8s.io/v1`.
pub const SELFSUBJECTREVIEWS: GroupVersionResource =
    GroupVersionResource::new("authentication.k8s.io", "v1", "selfsubjectreviews");
/// `tokenreviews` of `authentication.k8s.io/v1`.
pub const TOKENREVIEWS: GroupVersionResource =
    GroupVersionResource::new("authentication.k8s.io", "v1", "tokenreviews");
/// `localsubjectaccessreviews` of `authorization.k8s.io/v1`.
pub const LOCALSUBJECTACCESSREVIEWS: GroupVersionResource =
    GroupVersionResource::new("authorization.k8s.io", "v1", "localsubjectaccessreviews");
/// `selfsubjectaccessreviews` of `authorization.k8s.io/v1`.
pub const SELFSUBJECTACCESSREVIEWS: GroupVersionResource =
    GroupVersionResource::new("authorization.k8s.io", "v1", "selfsubjectaccessreviews");
/// `selfsubjectrulesreviews` of `authorization.k8s.io/v1`.
pub const SELFSUBJECTRULESREVIEWS: GroupVersionResource =
    GroupVersionResource::new("authorization.k8s.io", "v1", "selfsubjectrulesreviews");
/// `subjectaccessreviews` of `authorization.k8s.io/v1`.
pub const SUBJECTACCESSREVIEWS: GroupVersionResource =
    GroupVersionResource::new("authorization.k8s.io", "v1", "subjectaccessreviews");
/// `horizontalpodautoscalers` of `autoscaling/v2`.
pub const HORIZONTALPODAUTOSCALERS: GroupVersionResource =
    GroupVersionResource::new("autoscaling", "v2", "horizontalpodautoscalers");
/// `horizontalpodautoscalers` of `autoscaling/v1`.
pub const HORIZONTALPODAUTOSCALERS_V1: GroupVersionResource =
    GroupVersionResource::new("autoscaling", "v1", "horizontalpodautoscalers");
/// `cronjobs` of `batch/v1`.
pub const CRONJOBS: GroupVersionResource = GroupVersionResource::new("batch", "v1", "cronjobs");
/// `jobs` of `batch/v1`.
pub const JOBS: GroupVersionResource = GroupVersionResource::new("batch", "v1", "jobs");
/// `certificatesigningrequests` of `certificates.k8s.io/v1`.
pub const CERTIFICATESIGNINGREQUESTS: GroupVersionResource =
    GroupVersionResource::new("certificates.k8s.io", "v1", "certificatesigningrequests");
/// `ingressclasses` of `networking.k8s.io/v1`.
pub const INGRESSCLASSES: GroupVersionResource =
    GroupVersionResource::new("networking.k8s.io", "v1", "ingressclasses");
/// `ingresses` of `networking.k8s.io/v1`.
pub const INGRESSES: GroupVersionResource =
    GroupVersionResource::new("networking.k8s.io", "v1", "ingresses");
/// `ipaddresses` of `networking.k8s.io/v1`.
pub const IPADDRESSES: GroupVersionResource =
    GroupVersionResource::new("networking.k8s.io", "v1", "ipaddresses");
/// `networkpolicies` of `networking.k8s.io/v1`.
pub const NETWORKPOLICIES: GroupVersionResource =
    GroupVersionResource::new("networking.k8s.io", "v1", "networkpolicies");
/// `servicecidrs` of `networking.k8s.io/v1`.
pub const SERVICECIDRS: GroupVersionResource =
    GroupVersionResource::new("networking.k8s.io", "v1", "servicecidrs");
/// `poddisruptionbudgets` of `policy/v1`.
pub const PODDISRUPTIONBUDGETS: GroupVersionResource =
    GroupVersionResource::new("policy", "v1", "poddisruptionbudgets");
/// `clusterrolebindings` of `rbac.authorization.k8s.io/v1`.
pub const CLUSTERROLEBINDINGS: GroupVersionResource =
    GroupVersionResource::new("rbac.authorization.k8s.io", "v1", "clusterrolebindings");
/// `clusterroles` of `rbac.authorization.k8s.io/v1`.
pub const CLUSTERROLES: GroupVersionResource =
    GroupVersionResource::new("rbac.authorization.k8s.io", "v1", "clusterroles");
/// `rolebindings` of `rbac.authorization.k8s.io/v1`.
pub const ROLEBINDINGS: GroupVersionResource =
    GroupVersionResource::new("rbac.authorization.k8s.io", "v1", "rolebindings");
/// `roles` of `rbac.authorization.k8s.io/v1`.
pub const ROLES: GroupVersionResource =
    GroupVersionResource::new("rbac.authorization.k8s.io", "v1", "roles");
/// `csidrivers` of `storage.k8s.io/v1`.
pub const CSIDRIVERS: GroupVersionResource =
    GroupVersionResource::new("storage.k8s.io", "v1", "csidrivers");
/// `csinodes` of `storage.k8s.io/v1`.
pub const CSINODES: GroupVersionResource =
    GroupVersionResource::new("storage.k8s.io", "v1", "csinodes");
/// `csistoragecapacities` of `storage.k8s.io/v1`.
pub const CSISTORAGECAPACITIES: GroupVersionResource =
    GroupVersionResource::new("storage.k8s.io", "v1", "csistoragecapacities");
/// `storageclasses` of `storage.k8s.io/v1`.
pub const STORAGECLASSES: GroupVersionResource =
    GroupVersionResource::new("storage.k8s.io", "v1", "storageclasses");
/// `volumeattachments` of `storage.k8s.io/v1`.
pub const VOLUMEATTACHMENTS: GroupVersionResource =
    GroupVersionResource::new("storage.k8s.io", "v1", "volumeattachments");
/// `volumeattributesclasses` of `storage.k8s.io/v1`.
pub const VOLUMEATTRIBUTESCLASSES: GroupVersionResource =
    GroupVersionResource::new("storage.k8s.io", "v1", "volumeattributesclasses");
/// `mutatingadmissionpolicies` of `admissionregistration.k8s.io/v1`.
pub const MUTATINGADMISSIONPOLICIES: GroupVersionResource =
    GroupVersionResource::new("admissionregistration.k8s.io", "v1", "mutatingadmissionpolicies");
/// `mutatingadmissionpolicybindings` of `admissionregistration.k8s.io/v1`.
pub const MUTATINGADMISSIONPOLICYBINDINGS: GroupVersionResource = GroupVersionResource::new(
    "admissionregistration.k8s.io",
    "v1",
    "mutatingadmissionpolicybindings",
);
/// `mutatingwebhookconfigurations` of `admissionregistration.k8s.io/v1`.
pub const MUTATINGWEBHOOKCONFIGURATIONS: GroupVersionResource = GroupVersionResource::new(
    "admissionregistration.k8s.io",
    "v1",
    "mutatingwebhookconfigurations",
);
/// `validatingadmissionpolicies` of `admissionregistration.k8s.io/v1`.
pub const VALIDATINGADMISSIONPOLICIES: GroupVersionResource =
    GroupVersionResource::new("admissionregistration.k8s.io", "v1", "validatingadmissionpolicies");
/// `validatingadmissionpolicybindings` of `admissionregistration.k8s.io/v1`.
pub const VALIDATINGADMISSIONPOLICYBINDINGS: GroupVersionResource = GroupVersionResource::new(
    "admissionregistration.k8s.io",
    "v1",
    "validatingadmissionpolicybindings",
);
/// `validatingwebhookconfigurations` of `admissionregistration.k8s.io/v1`.
pub const VALIDATINGWEBHOOKCONFIGURATIONS: GroupVersionResource = GroupVersionResource::new(
    "admissionregistration.k8s.io",
    "v1",
    "validatingwebhookconfigurations",
);
/// `customresourcedefinitions` of `apiextensions.k8s.io/v1`.
pub const CUSTOMRESOURCEDEFINITIONS: GroupVersionResource =
    GroupVersionResource::new("apiextensions.k8s.io", "v1", "customresourcedefinitions");
/// `priorityclasses` of `scheduling.k8s.io/v1`.
pub const PRIORITYCLASSES: GroupVersionResource =
    GroupVersionResource::new("scheduling.k8s.io", "v1", "priorityclasses");
/// `leases` of `coordination.k8s.io/v1`.
pub const LEASES: GroupVersionResource =
    GroupVersionResource::new("coordination.k8s.io", "v1", "leases");
/// `runtimeclasses` of `node.k8s.io/v1`.
pub const RUNTIMECLASSES: GroupVersionResource =
    GroupVersionResource::new("node.k8s.io", "v1", "runtimeclasses");
/// `endpointslices` of `discovery.k8s.io/v1`.
pub const ENDPOINTSLICES: GroupVersionResource =
    GroupVersionResource::new("discovery.k8s.io", "v1", "endpointslices");
/// `flowschemas` of `flowcontrol.apiserver.k8s.io/v1`.
pub const FLOWSCHEMAS: GroupVersionResource =
    GroupVersionResource::new("flowcontrol.apiserver.k8s.io", "v1", "flowschemas");
/// `prioritylevelconfigurations` of `flowcontrol.apiserver.k8s.io/v1`.
pub const PRIORITYLEVELCONFIGURATIONS: GroupVersionResource =
    GroupVersionResource::new("flowcontrol.apiserver.k8s.io", "v1", "prioritylevelconfigurations");
/// `deviceclasses` of `resource.k8s.io/v1`.
pub const DEVICECLASSES: GroupVersionResource =
    GroupVersionResource::new("resource.k8s.io", "v1", "deviceclasses");
/// `resourceclaims` of `resource.k8s.io/v1`.
pub const RESOURCECLAIMS: GroupVersionResource =
    GroupVersionResource::new("resource.k8s.io", "v1", "resourceclaims");
/// `resourceclaimtemplates` of `resource.k8s.io/v1`.
pub const RESOURCECLAIMTEMPLATES: GroupVersionResource =
    GroupVersionResource::new("resource.k8s.io", "v1", "resourceclaimtemplates");
/// `resourceslices` of `resource.k8s.io/v1`.
pub const RESOURCESLICES: GroupVersionResource =
    GroupVersionResource::new("resource.k8s.io", "v1", "resourceslices");
/// `transactions` of `windlass.dev/v1alpha1`: writes that happen together, see [`crate::client::Transaction`].
pub const TRANSACTIONS: GroupVersionResource =
    GroupVersionResource::new("windlass.dev", "v1alpha1", "transactions");
