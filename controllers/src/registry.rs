//! The list of all controllers, by the names that `kube-controller-manager --controllers` knows.

use crate::Context;
use windlass_core::component::Component;

/// Makes a controller from a context. Needs a tokio runtime; does nothing until the component runs.
pub type Constructor = fn(&Context) -> Box<dyn Component>;

/// Every controller with its name. One line each.
pub const ALL: &[(&str, Constructor)] = &[
    ("deployment-controller", crate::deployment::component),
    ("statefulset-controller", crate::statefulset::component),
    ("daemonset-controller", crate::daemonset::component),
    ("job-controller", crate::job::component),
    ("cronjob-controller", crate::cronjob::component),
    ("disruption-controller", crate::disruption::component),
    ("horizontal-pod-autoscaler-controller", crate::podautoscaler::component),
    ("resourcequota-controller", crate::resource_quota::component),
    ("persistentvolume-binder-controller", crate::persistentvolume_binder::component),
    ("ephemeral-volume-controller", crate::ephemeral_volume::component),
    ("persistentvolume-attach-detach-controller", crate::attachdetach::component),
    ("resourceclaim-controller", crate::resourceclaim::component),
    ("service-cidr-controller", crate::service_cidr::component),
    ("service-ip-repair-controller", crate::service_cidr::repair),
    ("persistentvolumeclaim-protection-controller", crate::volume_protection::claims),
    ("persistentvolume-protection-controller", crate::volume_protection::volumes),
    ("clusterrole-aggregation-controller", crate::clusterrole_aggregation::component),
    ("ttl-after-finished-controller", crate::ttl_after_finished::component),
    ("endpoints-controller", crate::endpoints::component),
    ("endpointslice-controller", crate::endpointslice::component),
    ("endpointslice-mirroring-controller", crate::endpointslice_mirroring::component),
    ("replicaset-controller", crate::replicaset::component),
    ("replicationcontroller-controller", crate::replicaset::replication_controller),
    ("garbage-collector-controller", crate::garbagecollector::component),
    ("node-lifecycle-controller", crate::node_lifecycle::component),
    ("taint-eviction-controller", crate::taint_eviction::component),
    ("pod-garbage-collector-controller", crate::pod_gc::component),
    ("node-ipam-controller", crate::node_ipam::component),
    ("namespace-controller", crate::namespace::component),
    ("serviceaccount-controller", crate::serviceaccount::component),
    ("serviceaccount-token-controller", crate::serviceaccount_token::component),
    ("legacy-serviceaccount-token-cleaner-controller", crate::serviceaccount_token::cleaning),
    ("root-ca-certificate-publisher-controller", crate::root_ca::component),
    ("certificatesigningrequest-approving-controller", crate::certificates::approving),
    ("certificatesigningrequest-signing-controller", crate::certificates::signing),
    ("certificatesigningrequest-cleaner-controller", crate::certificates::cleaning),
    ("bootstrap-signer-controller", crate::bootstrap_token::signing),
    ("token-cleaner-controller", crate::bootstrap_token::cleaning),
];

/// The controllers whose names `wanted` takes.
pub fn start(context: &Context, wanted: impl Fn(&str) -> bool) -> Vec<Box<dyn Component>> {
    ALL.iter().filter(|(name, _)| wanted(name)).map(|(_, make)| make(context)).collect()
}
