//! What a pod has when its writer does not say.

use super::container::default_container;
use super::volume::default_volume;
use crate::strategy::Map;
use crate::strategy::json::{
    each_mut, existing_mut, fill, fill_nil, is_empty, is_true, map_mut, map_of, restore,
};
use serde_json::json;

pub(super) const CONTAINERS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];

/// Fills in a pod's spec.
pub(super) fn default_pod(spec: &mut Map) {
    fill_nil(spec, "enableServiceLinks", true);
    for list in ["initContainers", "containers"] {
        for container in each_mut(spec, list) {
            requests_from_limits(container);
        }
    }
    requests_from_limits(spec);
    default_pod_spec(spec);
}

/// Fills in a pod template.
pub(crate) fn default_template(template: &mut Map) {
    default_pod_spec(map_mut(template, "spec"));
}

/// The older name of the service account says the same as the newer one.
pub(super) fn sync_service_account(spec: &mut Map) {
    let from = spec.clone();
    match (is_empty(spec, "serviceAccountName"), is_empty(spec, "serviceAccount")) {
        (false, _) => spec.insert("serviceAccount".into(), from["serviceAccountName"].clone()),
        (true, false) => spec.insert("serviceAccountName".into(), from["serviceAccount"].clone()),
        (true, true) => None,
    };
}

fn default_pod_spec(spec: &mut Map) {
    sync_service_account(spec);
    fill(spec, "restartPolicy", "Always");
    fill(spec, "dnsPolicy", "ClusterFirst");
    fill(spec, "schedulerName", "default-scheduler");
    fill_nil(spec, "terminationGracePeriodSeconds", 30);
    fill_nil(spec, "securityContext", json!({}));
    for list in CONTAINERS {
        each_mut(spec, list).for_each(default_container);
    }
    each_mut(spec, "volumes").for_each(default_volume);
    if is_true(spec, "hostNetwork") {
        host_ports(spec);
    }
}

/// On the network of the host a container's ports are the host's.
fn host_ports(spec: &mut Map) {
    for list in ["initContainers", "containers"] {
        for container in each_mut(spec, list) {
            for port in each_mut(container, "ports") {
                if crate::strategy::json::int_of(port, "hostPort").unwrap_or(0) == 0 {
                    let from = port.clone();
                    if let Some(number) = from.get("containerPort") {
                        port.insert("hostPort".into(), number.clone());
                    }
                }
            }
        }
    }
}

fn requests_from_limits(holder: &mut Map) {
    let Some(resources) = existing_mut(holder, "resources") else { return };
    let Some(limits) = map_of(resources, "limits").cloned() else { return };
    if limits.is_empty() {
        return;
    }
    let requests = map_mut(resources, "requests");
    for name in limits.keys() {
        if !requests.contains_key(name) {
            restore(requests, &limits, name);
        }
    }
}
