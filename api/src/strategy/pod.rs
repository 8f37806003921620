//! Pods, and the part of them that templates share.

mod container;
mod defaults;
mod qos;
pub(crate) use qos::class as qos_class;
mod update;
mod volume;

pub(crate) use defaults::default_template;

use super::generic::keep_all_but;
use super::json::{is_empty, list_of, map_mut, map_of, maps_of, restore, str_of};
use super::{Map, Strategy};
use crate::validation::pod::{Scope, validate_pod_spec};
use crate::validation::{Errors, Path};
use serde_json::json;
use std::borrow::Cow;
use windlass_core::Object;

/// The rules of pods.
pub(super) struct Pod;

impl Strategy for Pod {
    fn default(&self, object: &mut Map) {
        defaults::default_pod(map_mut(object, "spec"));
    }

    fn prepare_for_create(&self, object: &mut Map) {
        let spec = map_mut(object, "spec");
        defaults::sync_service_account(spec);
        let mut status = json!({"phase": "Pending", "qosClass": qos::class(spec)});
        if !is_empty(spec, "schedulingGates") {
            status["conditions"] = json!([{"type": "PodScheduled", "status": "False",
                "reason": "SchedulingGated", "message": "Scheduling is blocked due to non-empty scheduling gates"}]);
        }
        object.insert("status".into(), status);
    }

    fn prepare_for_update(&self, new: &mut Map, _old: &Map) {
        defaults::sync_service_account(map_mut(new, "spec"));
    }

    fn prepare_for_subresource(&self, subresource: &str, new: &mut Map, old: &Map) {
        match subresource {
            "status" => update::prepare_status(new, old),
            "ephemeralcontainers" | "resize" => {
                let wanted = map_of(new, "spec").cloned().unwrap_or_default();
                keep_all_but(&[], new, old);
                update::take_part(subresource, map_mut(new, "spec"), &wanted);
            }
            _ => {}
        }
    }

    fn validate(&self, object: &Map) -> Errors {
        let mut errors = Errors::default();
        let spec = map_of(object, "spec").cloned().unwrap_or_default();
        validate_pod_spec(&spec, &Path::new("spec"), Scope::Pod, &mut errors);
        errors
    }

    fn validate_update(&self, new: &Map, old: &Map) -> Errors {
        update::validate(new, old)
    }

    fn validate_subresource(&self, subresource: &str, new: &Map, old: &Map) -> Errors {
        match subresource {
            "resize" => {
                let mut errors = self.validate(new);
                update::validate_resize(new, old, &mut errors);
                errors
            }
            "ephemeralcontainers" => update::validate_ephemeral(new, old),
            _ => Errors::default(),
        }
    }

    fn fields(&self) -> &'static [&'static str] {
        &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.podIPs",
            "status.nominatedNodeName",
        ]
    }

    fn field(&self, object: &Object, name: &str) -> Option<Cow<'static, str>> {
        super::fields::value(object, self.fields(), name)
    }

    fn warnings(&self, object: &Map) -> Vec<String> {
        let mut found = Vec::new();
        let spec = map_of(object, "spec").cloned().unwrap_or_default();
        if !is_empty(&spec, "serviceAccount") && is_empty(&spec, "serviceAccountName") {
            found.push("spec.serviceAccount: deprecated".to_owned());
        }
        for (at, container) in maps_of(&spec, "containers") {
            let mut seen = std::collections::BTreeSet::new();
            for (place, env) in maps_of(container, "env") {
                let name = str_of(env, "name");
                if !seen.insert(name) {
                    found.push(format!(
                        "spec.containers[{at}].env[{place}]: hides previous definition of {name:?}, which may be dropped when using apply"
                    ));
                }
            }
        }
        found
    }
}

/// Puts the addresses a pod has into the older field, or the older one into the list.
fn sync_pod_ips(status: &mut Map) {
    let first = list_of(status, "podIPs").first().and_then(|ip| ip.get("ip")).cloned();
    match (first, is_empty(status, "podIP")) {
        (Some(first), _) => _ = status.insert("podIP".into(), first),
        (None, false) => {
            let list = json!([{"ip": status["podIP"]}]);
            status.insert("podIPs".into(), list);
        }
        (None, true) => {}
    }
}

/// Keeps what the server worked out at the start.
fn keep_qos(status: &mut Map, old: &Map) {
    if is_empty(status, "qosClass") {
        restore(status, old, "qosClass");
    }
}
