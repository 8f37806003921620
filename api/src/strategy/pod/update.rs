//! What may change in a pod.

use super::defaults::CONTAINERS;
use crate::strategy::Map;
use crate::strategy::json::{
    each_mut, int_of, is_empty, list_of, map_mut, map_of, maps_of, restore, str_of,
};
use crate::validation::{Errors, Path};
use serde_json::Value;

const SPEC: Path<'static> = Path::new("spec");
const FIXED: &str = "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

/// A status comes without what the server owns.
pub(super) fn prepare_status(new: &mut Map, old: &Map) {
    let before = map_of(old, "status").cloned().unwrap_or_default();
    let status = map_mut(new, "status");
    super::keep_qos(status, &before);
    super::sync_pod_ips(status);
}

/// Takes over what a subresource is for.
pub(super) fn take_part(subresource: &str, spec: &mut Map, wanted: &Map) {
    if subresource == "ephemeralcontainers" {
        restore(spec, wanted, "ephemeralContainers");
        return;
    }
    for list in ["initContainers", "containers"] {
        for container in each_mut(spec, list) {
            let name = str_of(container, "name").to_owned();
            if let Some((_, from)) = maps_of(wanted, list).find(|(_, c)| str_of(c, "name") == name)
            {
                restore(container, from, "resources");
                restore(container, from, "resizePolicy");
            }
        }
    }
}

/// What is wrong with an update of a pod's spec.
pub(super) fn validate(new: &Map, old: &Map) -> Errors {
    let mut errors = Errors::default();
    let empty = Map::new();
    let (new, old) = (map_of(new, "spec").unwrap_or(&empty), map_of(old, "spec").unwrap_or(&empty));
    for list in ["containers", "initContainers"] {
        if list_of(new, list).len() != list_of(old, list).len() {
            errors.forbidden(SPEC.child(list), "pod updates may not add or remove containers");
            return errors;
        }
    }
    deadline(new, old, &mut errors);
    tolerations(new, old, &mut errors);
    if allowed(new, old) != *old {
        errors.forbidden(SPEC, FIXED);
    }
    errors
}

/// Ephemeral containers may be added, and nothing else.
pub(super) fn validate_ephemeral(new: &Map, old: &Map) -> Errors {
    let mut errors = Errors::default();
    let path = SPEC.child("ephemeralContainers");
    let list = |object| map_of(object, "spec").map(|spec| list_of(spec, "ephemeralContainers"));
    let (new, old) = (list(new).unwrap_or_default(), list(old).unwrap_or_default());
    for container in old {
        let name = container.get("name").and_then(Value::as_str).unwrap_or_default();
        match new.iter().find(|c| c.get("name").and_then(Value::as_str) == Some(name)) {
            None => errors.forbidden(
                path,
                &format!("existing ephemeral containers {name:?} may not be removed\n"),
            ),
            Some(now) if now != container => errors.forbidden(
                path,
                &format!("existing ephemeral containers {name:?} may not be changed\n"),
            ),
            Some(_) => {}
        }
    }
    for (at, container) in new.iter().enumerate() {
        let Some(container) = container.as_object() else { continue };
        for key in ["name", "image"] {
            if str_of(container, key).is_empty() {
                errors.required(path.index(at).child(key), "");
            }
        }
        for key in ["ports", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle"] {
            if !is_empty(container, key) {
                errors.forbidden(
                    path.index(at).child(key),
                    "cannot be set for an Ephemeral Container",
                );
            }
        }
    }
    errors
}

/// A resize changes cpu and memory, and neither takes limits away nor makes another class of service (KEP-1287).
pub(super) fn validate_resize(new: &Map, old: &Map, errors: &mut Errors) {
    let empty = Map::new();
    let (new, old) = (map_of(new, "spec").unwrap_or(&empty), map_of(old, "spec").unwrap_or(&empty));
    if super::qos::class(new) != super::qos::class(old) {
        let words = "Pod QOS Class may not change as a result of resizing";
        errors.invalid(SPEC, super::qos::class(new), words);
    }
    let list = |container, list: &str| {
        map_of(container, "resources").and_then(|r| map_of(r, list)).cloned().unwrap_or_default()
    };
    let others = |mut all: Map| {
        all.retain(|name, _| !["cpu", "memory"].contains(&name.as_str()));
        all
    };
    for name in ["containers", "initContainers"] {
        for ((at, container), (_, before)) in maps_of(new, name).zip(maps_of(old, name)) {
            let (limits, had) = (list(container, "limits"), list(before, "limits"));
            if ["cpu", "memory"].iter().any(|n| had.contains_key(*n) && !limits.contains_key(*n)) {
                let words = "resource limits cannot be removed";
                errors.forbidden(
                    SPEC.child(name).index(at).child("resources").child("limits"),
                    words,
                );
            }
            let requests = [container, before].map(|c| others(list(c, "requests")));
            if others(limits) != others(had) || requests[0] != requests[1] {
                errors.forbidden(SPEC, "only cpu and memory resources are mutable");
            }
        }
    }
}

/// The new spec with all that may change put back.
fn allowed(new: &Map, old: &Map) -> Map {
    let mut spec = new.clone();
    for list in CONTAINERS {
        let before: Vec<_> = maps_of(old, list).map(|(_, container)| container.clone()).collect();
        for (container, before) in each_mut(&mut spec, list).zip(&before) {
            restore(container, before, "image");
        }
    }
    restore(&mut spec, old, "activeDeadlineSeconds");
    restore(&mut spec, old, "tolerations");
    let grace = |spec| int_of(spec, "terminationGracePeriodSeconds");
    if grace(old).is_some_and(|seconds| seconds < 0) && grace(new) == Some(1) {
        restore(&mut spec, old, "terminationGracePeriodSeconds");
    }
    if !is_empty(old, "schedulingGates") {
        let kept = list_of(new, "schedulingGates");
        if kept.iter().all(|gate| list_of(old, "schedulingGates").contains(gate)) {
            restore(&mut spec, old, "schedulingGates");
        }
        restore(&mut spec, old, "nodeSelector");
        restore(&mut spec, old, "affinity");
    }
    spec
}

fn deadline(new: &Map, old: &Map, errors: &mut Errors) {
    let path = SPEC.child("activeDeadlineSeconds");
    let of = |spec| int_of(spec, "activeDeadlineSeconds");
    match (of(new), of(old)) {
        (None, Some(_)) => {
            errors.invalid(
                path,
                Value::Null,
                "must not update from a positive integer to nil value",
            );
        }
        (Some(new), Some(old)) if new > old => {
            errors.invalid(path, new, "must be less than or equal to previous value");
        }
        _ => {}
    }
}

fn tolerations(new: &Map, old: &Map, errors: &mut Errors) {
    let bare = |toleration: &Value| {
        let mut toleration = toleration.clone();
        if let Some(map) = toleration.as_object_mut() {
            map.shift_remove("tolerationSeconds");
        }
        toleration
    };
    let now: Vec<_> = list_of(new, "tolerations").iter().map(bare).collect();
    if !list_of(old, "tolerations").iter().map(bare).all(|toleration| now.contains(&toleration)) {
        let detail = "existing toleration can not be modified except its tolerationSeconds";
        errors.forbidden(SPEC.child("tolerations"), detail);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_resize_keeps_the_class_and_the_limits() {
        let resized = |old: Value, new: Value| -> Vec<String> {
            let pod = |resources: Value| json!({"spec": {"containers": [{"name": "c", "resources": resources}]}});
            let (new, old) = (pod(new), pod(old));
            let mut errors = Errors::default();
            let map = |pod: &Value| pod.as_object().cloned().unwrap_or_default();
            validate_resize(&map(&new), &map(&old), &mut errors);
            errors.iter().map(ToString::to_string).collect()
        };
        let cpu = |request: &str, limit: &str| json!({"requests": {"cpu": request}, "limits": {"cpu": limit}});
        assert!(resized(cpu("1", "2"), cpu("2", "4")).is_empty());
        let class = [
            "spec: Invalid value: \"Burstable\": Pod QOS Class may not change as a result of resizing",
        ];
        assert_eq!(resized(json!({}), cpu("1", "2")), class);
        let removed =
            ["spec.containers[0].resources.limits: Forbidden: resource limits cannot be removed"];
        assert_eq!(resized(cpu("1", "2"), json!({"requests": {"cpu": "1"}})), removed);
        let disk = |size: &str| json!({"requests": {"cpu": "1", "ephemeral-storage": size}});
        assert_eq!(
            resized(disk("1"), disk("2")),
            ["spec: Forbidden: only cpu and memory resources are mutable"]
        );
    }
}
