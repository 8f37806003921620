//! The list of kinds that have rules of their own.

use super::generic::Generic;
use super::put::Put;
use super::{Map, Strategy};
use crate::authentication::User;
use crate::validation::meta::validate_finalizer_names;
use crate::validation::{Errors, NameRule};
use rustc_hash::FxHashMap;
use std::borrow::Cow;
use std::sync::LazyLock;
use windlass_core::Object;
use windlass_core::scheme::{GroupVersionResource, Scheme};

/// The rules of a kind: those of all kinds, and its own.
struct Registered {
    generic: Generic,
    own: &'static dyn Strategy,
    /// Its finalizers have names of the usual form.
    strict_finalizers: bool,
    put: Put,
}

/// A kind with rules of its own, a form of names, or a generation: group, resource, and these.
struct Entry(&'static str, &'static str, NameRule, bool, &'static dyn Strategy);

struct Nothing;

use NameRule::{Label, Label1035, PathSegment, Subdomain};

const COUNTED: bool = true;
const UNCOUNTED: bool = false;

/// One line for each kind.
#[rustfmt::skip]
static ENTRIES: &[Entry] = &[
    Entry("", "configmaps", Subdomain, UNCOUNTED, &super::config::ConfigMap),
    Entry("", "endpoints", Subdomain, UNCOUNTED, &super::endpoints::Endpoints),
    Entry("", "events", Subdomain, UNCOUNTED, &super::event::CoreEvent),
    Entry("", "limitranges", Subdomain, UNCOUNTED, &super::quota::LimitRange),
    Entry("", "namespaces", Label, UNCOUNTED, &super::namespace::Namespace),
    Entry("", "nodes", Subdomain, UNCOUNTED, &super::node::Node),
    Entry("", "persistentvolumeclaims", Subdomain, UNCOUNTED, &super::volume::Claim),
    Entry("", "persistentvolumes", Subdomain, UNCOUNTED, &super::volume::Volume),
    Entry("", "pods", Subdomain, COUNTED, &super::pod::Pod),
    Entry("", "podtemplates", Subdomain, COUNTED, &super::workload::PodTemplate),
    Entry("", "replicationcontrollers", Subdomain, COUNTED, &super::workload::ReplicationController),
    Entry("", "resourcequotas", Subdomain, UNCOUNTED, &super::quota::ResourceQuota),
    Entry("", "secrets", Subdomain, UNCOUNTED, &super::config::Secret),
    Entry("", "serviceaccounts", Subdomain, UNCOUNTED, &Nothing),
    Entry("", "services", Label1035, UNCOUNTED, &super::service::Service),
    Entry("admissionregistration.k8s.io", "mutatingwebhookconfigurations", Subdomain, COUNTED, &super::admission::Webhooks),
    Entry("admissionregistration.k8s.io", "validatingwebhookconfigurations", Subdomain, COUNTED, &super::admission::Webhooks),
    Entry("admissionregistration.k8s.io", "validatingadmissionpolicies", Subdomain, COUNTED, &super::admission::Policy),
    Entry("admissionregistration.k8s.io", "validatingadmissionpolicybindings", Subdomain, COUNTED, &super::admission::Binding),
    Entry("admissionregistration.k8s.io", "mutatingadmissionpolicies", Subdomain, COUNTED, &super::admission::Policy),
    Entry("admissionregistration.k8s.io", "mutatingadmissionpolicybindings", Subdomain, COUNTED, &super::admission::Binding),
    Entry("apiextensions.k8s.io", "customresourcedefinitions", Subdomain, COUNTED, &crate::apiextensions::Definitions),
    Entry("apiregistration.k8s.io", "apiservices", PathSegment, UNCOUNTED, &super::aggregation::ApiService),
    Entry("apps", "controllerrevisions", Subdomain, UNCOUNTED, &super::workload::ControllerRevision),
    Entry("apps", "daemonsets", Subdomain, COUNTED, &super::workload::DaemonSet),
    Entry("apps", "deployments", Subdomain, COUNTED, &super::workload::Deployment),
    Entry("apps", "replicasets", Subdomain, COUNTED, &super::workload::ReplicaSet),
    Entry("apps", "statefulsets", Subdomain, COUNTED, &super::workload::StatefulSet),
    Entry("autoscaling", "horizontalpodautoscalers", Subdomain, UNCOUNTED, &super::autoscaling::Autoscaler),
    Entry("batch", "cronjobs", Subdomain, COUNTED, &super::batch::CronJob),
    Entry("batch", "jobs", Subdomain, COUNTED, &super::batch::Job),
    Entry("certificates.k8s.io", "certificatesigningrequests", Subdomain, UNCOUNTED, &super::certificates::Request),
    Entry("coordination.k8s.io", "leases", Subdomain, UNCOUNTED, &super::lease::Lease),
    Entry("discovery.k8s.io", "endpointslices", Subdomain, COUNTED, &super::endpoints::EndpointSlice),
    Entry("events.k8s.io", "events", Subdomain, UNCOUNTED, &super::event::NewEvent),
    Entry("flowcontrol.apiserver.k8s.io", "flowschemas", Subdomain, COUNTED, &super::flowcontrol::FlowSchema),
    Entry("flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations", Subdomain, COUNTED, &super::flowcontrol::PriorityLevel),
    Entry("networking.k8s.io", "ingressclasses", Subdomain, COUNTED, &Nothing),
    Entry("networking.k8s.io", "ingresses", Subdomain, COUNTED, &super::networking::Ingress),
    Entry("networking.k8s.io", "networkpolicies", Subdomain, COUNTED, &super::networking::NetworkPolicy),
    Entry("node.k8s.io", "runtimeclasses", Subdomain, UNCOUNTED, &super::node::RuntimeClass),
    Entry("policy", "poddisruptionbudgets", Subdomain, COUNTED, &super::policy::DisruptionBudget),
    Entry("rbac.authorization.k8s.io", "clusterrolebindings", PathSegment, UNCOUNTED, &super::rbac::Binding { namespaced: false }),
    Entry("rbac.authorization.k8s.io", "clusterroles", PathSegment, UNCOUNTED, &super::rbac::Role { namespaced: false }),
    Entry("rbac.authorization.k8s.io", "rolebindings", PathSegment, UNCOUNTED, &super::rbac::Binding { namespaced: true }),
    Entry("rbac.authorization.k8s.io", "roles", PathSegment, UNCOUNTED, &super::rbac::Role { namespaced: true }),
    Entry("scheduling.k8s.io", "priorityclasses", Subdomain, COUNTED, &super::policy::PriorityClass),
    Entry("storage.k8s.io", "storageclasses", Subdomain, UNCOUNTED, &super::volume::StorageClass),
];

static REGISTRY: LazyLock<FxHashMap<GroupVersionResource, Registered>> = LazyLock::new(build);
static UNKNOWN: Registered = Registered {
    generic: Generic { namespaced: true, status: false, generation: false, name: Subdomain },
    own: &Nothing,
    strict_finalizers: false,
    put: Put { conditional: false, creates: false },
};

/// The strategy of a built-in resource. For one that is not built in only the rules for metadata of
/// objects in a namespace hold: kinds that come at run time bring their own [`Generic`].
#[must_use]
pub fn strategy_for(gvr: &GroupVersionResource) -> &'static dyn Strategy {
    REGISTRY.get(gvr).unwrap_or(&UNKNOWN)
}

fn build() -> FxHashMap<GroupVersionResource, Registered> {
    let entry = |group: &str, resource: &str| {
        ENTRIES.iter().find(|entry| (entry.0, entry.1) == (group, resource))
    };
    let registered = |info: &windlass_core::scheme::ResourceInfo| {
        let found = entry(&info.gvr.group, &info.gvr.resource);
        let generic = Generic {
            namespaced: info.namespaced,
            status: info.subresource("status").is_some(),
            generation: found.is_some_and(|entry| entry.3),
            name: found.map_or(Subdomain, |entry| entry.2),
        };
        let own: &'static dyn Strategy = found.map_or(&Nothing, |entry| entry.4);
        // Definitions and what they define have never had this rule.
        let strict_finalizers = info.gvr.group != "apiextensions.k8s.io";
        let put = Put::of(&info.gvr.group, &info.gvr.resource);
        (info.gvr.clone(), Registered { generic, own, strict_finalizers, put })
    };
    Scheme::builtin().iter().map(|info| registered(info)).collect()
}

// === impl Strategy ===

impl Strategy for Nothing {}

impl Registered {
    fn check_finalizers(&self, object: &Map, errors: &mut Errors) {
        if self.strict_finalizers {
            validate_finalizer_names(object, errors);
        }
    }
}

impl Strategy for Registered {
    fn default(&self, object: &mut Map) {
        self.own.default(object);
    }

    fn prepare_for_create(&self, object: &mut Map) {
        self.generic.prepare_for_create(object);
        if self.generic.status {
            // The status of a built-in kind is a struct: it is there from the start.
            object.insert("status".into(), Map::new().into());
        }
        self.own.prepare_for_create(object);
    }

    fn made_by(&self, object: &mut Map, user: &User) {
        self.own.made_by(object, user);
    }

    fn prepare_for_update(&self, new: &mut Map, old: &Map) {
        self.generic.prepare_for_update(new, old);
        self.own.prepare_for_update(new, old);
        self.generic.count_generation(new, old);
    }

    fn prepare_for_subresource(&self, subresource: &str, new: &mut Map, old: &Map) {
        self.generic.prepare_for_subresource(subresource, new, old);
        self.own.prepare_for_subresource(subresource, new, old);
        if subresource != "status" {
            self.generic.count_generation(new, old);
        }
    }

    fn validate(&self, object: &Map) -> Errors {
        let mut errors = self.generic.validate(object);
        self.check_finalizers(object, &mut errors);
        errors.extend(self.own.validate(object));
        errors
    }

    fn validate_update(&self, new: &Map, old: &Map) -> Errors {
        let mut errors = self.generic.validate_update(new, old);
        self.check_finalizers(new, &mut errors);
        errors.extend(self.own.validate(new));
        errors.extend(self.own.validate_update(new, old));
        errors
    }

    fn validate_subresource(&self, subresource: &str, new: &Map, old: &Map) -> Errors {
        let mut errors = self.generic.validate_subresource(subresource, new, old);
        self.check_finalizers(new, &mut errors);
        errors.extend(self.own.validate_subresource(subresource, new, old));
        errors
    }

    fn expires(&self) -> bool {
        self.own.expires()
    }

    fn allows_unconditional_update(&self) -> bool {
        !self.put.conditional
    }

    fn allows_create_on_update(&self) -> bool {
        self.put.creates
    }

    fn fields(&self) -> &'static [&'static str] {
        self.own.fields()
    }

    fn field(&self, object: &Object, name: &str) -> Option<Cow<'static, str>> {
        self.own.field(object, name)
    }

    fn warnings(&self, object: &Map) -> Vec<String> {
        self.own.warnings(object)
    }
}

#[cfg(test)]
mod tests;
