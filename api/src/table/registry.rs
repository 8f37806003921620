//! Which kind is printed how.

use super::column::Column;
use super::kinds::{
    access, admission, apps, batch, config, generic, metrics, network, nodes, policy, storage,
};
use super::pod;
use super::row::{Cells, Row};
use crate::strategy::Map;
use jiff::Timestamp;
use windlass_core::scheme::GroupVersionKind;
use windlass_core::{Object, Result};

/// How a kind is printed.
pub(super) struct Printer {
    group: &'static str,
    kind: &'static str,
    pub(super) columns: &'static [Column],
    pub(super) cells: fn(&Object, Timestamp) -> Result<Cells>,
}

macro_rules! printers {
    ($($group:literal $kind:literal $module:ident :: $columns:ident $cells:ident;)*) => {
        &[$(Printer {
            group: $group,
            kind: $kind,
            columns: $module::$columns,
            cells: |object, now| Ok($module::$cells(&Row { object: object.view::<Map>()?, now })),
        }),*]
    };
}

/// One line for each kind; pods have a view of their own.
static PRINTERS: &[Printer] = printers! {
    "" "ComponentStatus" generic::NAME_ONLY name_only;
    "" "ConfigMap" config::CONFIG_MAP config_map;
    "" "Endpoints" network::ENDPOINTS endpoints;
    "" "Event" config::EVENT event;
    "" "LimitRange" generic::CREATED created;
    "" "Namespace" config::NAMESPACE namespace;
    "" "Node" nodes::NODE node;
    "" "PersistentVolume" storage::VOLUME volume;
    "" "PersistentVolumeClaim" storage::CLAIM claim;
    "" "PodTemplate" apps::POD_TEMPLATE pod_template;
    "" "ReplicationController" apps::REPLICAS replication_controller;
    "" "ResourceQuota" policy::QUOTA quota;
    "" "Secret" config::SECRET secret;
    "" "Service" network::SERVICE service;
    "" "ServiceAccount" config::SERVICE_ACCOUNT service_account;
    "admissionregistration.k8s.io" "MutatingAdmissionPolicy" admission::MUTATING_POLICY mutating_policy;
    "admissionregistration.k8s.io" "MutatingAdmissionPolicyBinding" admission::POLICY_BINDING policy_binding;
    "admissionregistration.k8s.io" "MutatingWebhookConfiguration" admission::WEBHOOKS webhooks;
    "admissionregistration.k8s.io" "ValidatingAdmissionPolicy" admission::POLICY policy;
    "admissionregistration.k8s.io" "ValidatingAdmissionPolicyBinding" admission::POLICY_BINDING policy_binding;
    "admissionregistration.k8s.io" "ValidatingWebhookConfiguration" admission::WEBHOOKS webhooks;
    "apiextensions.k8s.io" "CustomResourceDefinition" generic::CREATED created;
    "apiregistration.k8s.io" "APIService" admission::API_SERVICE api_service;
    "apps" "ControllerRevision" apps::REVISION revision;
    "apps" "DaemonSet" apps::DAEMON_SET daemon_set;
    "apps" "Deployment" apps::DEPLOYMENT deployment;
    "apps" "ReplicaSet" apps::REPLICAS replica_set;
    "apps" "StatefulSet" apps::STATEFUL_SET stateful_set;
    "autoscaling" "HorizontalPodAutoscaler" policy::AUTOSCALER autoscaler;
    "batch" "CronJob" batch::CRON_JOB cron_job;
    "batch" "Job" batch::JOB job;
    "certificates.k8s.io" "CertificateSigningRequest" access::REQUEST request;
    "coordination.k8s.io" "Lease" nodes::LEASE lease;
    "discovery.k8s.io" "EndpointSlice" network::SLICE slice;
    "events.k8s.io" "Event" config::EVENT new_event;
    "flowcontrol.apiserver.k8s.io" "FlowSchema" policy::FLOW_SCHEMA flow_schema;
    "flowcontrol.apiserver.k8s.io" "PriorityLevelConfiguration" policy::PRIORITY_LEVEL priority_level;
    "metrics.k8s.io" "NodeMetrics" metrics::USAGE node;
    "metrics.k8s.io" "PodMetrics" metrics::USAGE pod;
    "networking.k8s.io" "IPAddress" network::IP_ADDRESS ip_address;
    "networking.k8s.io" "Ingress" network::INGRESS ingress;
    "networking.k8s.io" "IngressClass" network::INGRESS_CLASS ingress_class;
    "networking.k8s.io" "NetworkPolicy" network::POLICY policy;
    "networking.k8s.io" "ServiceCIDR" network::SERVICE_CIDR service_cidr;
    "node.k8s.io" "RuntimeClass" nodes::RUNTIME_CLASS runtime_class;
    "policy" "PodDisruptionBudget" policy::BUDGET budget;
    "rbac.authorization.k8s.io" "ClusterRole" generic::CREATED created;
    "rbac.authorization.k8s.io" "ClusterRoleBinding" access::BINDING binding;
    "rbac.authorization.k8s.io" "Role" generic::CREATED created;
    "rbac.authorization.k8s.io" "RoleBinding" access::BINDING binding;
    "scheduling.k8s.io" "PriorityClass" policy::PRIORITY_CLASS priority_class;
    "storage.k8s.io" "CSIDriver" storage::DRIVER driver;
    "storage.k8s.io" "CSINode" storage::NODE node;
    "storage.k8s.io" "StorageClass" storage::CLASS class;
    "storage.k8s.io" "VolumeAttachment" storage::ATTACHMENT attachment;
};
static POD: Printer = Printer { group: "", kind: "Pod", columns: pod::COLUMNS, cells: pod::cells };
static FALLBACK: &[Printer] = printers! { "" "" generic::NAME_AGE name_age; };

/// How to print a kind.
pub(super) fn printer(gvk: &GroupVersionKind) -> &'static Printer {
    let is = |printer: &&Printer| printer.group == gvk.group && printer.kind == gvk.kind;
    std::iter::once(&POD).chain(PRINTERS).find(is).unwrap_or(&FALLBACK[0])
}
