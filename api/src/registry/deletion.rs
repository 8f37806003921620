//! What a request to delete means for an object: pure decisions.

use super::meta::rfc3339;
use crate::apiextensions;
use crate::strategy::Map;
use crate::strategy::json::{int_of, is_empty, list_of, map_at, map_mut, map_of, str_at};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use windlass_core::client::{DeleteOptions, Propagation};
use windlass_core::scheme::{self, GroupVersionResource};

const ORPHAN: &str = "orphan";
const FOREGROUND: &str = "foregroundDeletion";
/// Seconds a pod gets when nobody says otherwise.
const POD_GRACE: i64 = 30;

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Plan {
    /// Take it away.
    Remove,
    /// Write it like this; it goes later.
    Mark(Map),
    /// Nothing: it is on its way.
    Wait,
}

/// What to do with an object of a resource that is to be deleted.
pub(super) fn plan(
    resource: &GroupVersionResource,
    old: &Map,
    options: &DeleteOptions,
    now: Timestamp,
) -> Plan {
    let mut new = old.clone();
    set_finalizers(&mut new, finalizers(resource, old, options));
    match &*resource.resource {
        "pods" if *resource == scheme::PODS => plan_pod(new, old, options, now),
        "namespaces" if *resource == scheme::NAMESPACES => plan_namespace(new, old, now),
        "customresourcedefinitions" if *resource == scheme::CUSTOMRESOURCEDEFINITIONS => {
            apiextensions::begin_deletion(&mut new, now);
            plan_plain(new, old, now)
        }
        _ => plan_plain(new, old, now),
    }
}

/// Whether an object that was written goes now: it is being deleted, and nothing holds it any more.
pub(super) fn may_go(resource: &GroupVersionResource, object: &Map) -> bool {
    let Some(meta) = map_of(object, "metadata") else { return false };
    is_deleting(object)
        && is_empty(meta, "finalizers")
        && int_of(meta, "deletionGracePeriodSeconds").unwrap_or(0) == 0
        && (*resource != scheme::NAMESPACES || !is_kept_namespace(object))
}

fn plan_plain(mut new: Map, old: &Map, now: Timestamp) -> Plan {
    if !is_held(&new) {
        return Plan::Remove;
    }
    if !is_deleting(old) {
        mark(&mut new, now, 0);
    }
    unless_same(new, old)
}

fn plan_namespace(mut new: Map, old: &Map, now: Timestamp) -> Plan {
    if !is_held(&new) && !is_kept_namespace(&new) {
        return Plan::Remove;
    }
    if !is_deleting(old) {
        mark(&mut new, now, 0);
    }
    map_mut(&mut new, "status").insert("phase".into(), "Terminating".into());
    unless_same(new, old)
}

/// Pods end by themselves first (API reference, "Pod termination").
fn plan_pod(mut new: Map, old: &Map, options: &DeleteOptions, now: Timestamp) -> Plan {
    let asked = options.grace_period_seconds.map(|seconds| if seconds < 0 { 1 } else { seconds });
    let grace = if is_deleting(old) {
        let left = map_of(old, "metadata").and_then(|m| int_of(m, "deletionGracePeriodSeconds"));
        let left = left.unwrap_or(0);
        match asked {
            Some(asked) if asked < left || asked == 0 => {
                shorten(&mut new, left, asked);
                asked
            }
            _ => return unless_same(new, old),
        }
    } else {
        let grace = if has_nothing_to_end(old) { 0 } else { asked.unwrap_or(own_grace(old)) };
        mark(&mut new, now, grace);
        grace
    };
    if grace == 0 && !is_held(&new) { Plan::Remove } else { unless_same(new, old) }
}

/// No agent has seen it, or it is over.
fn has_nothing_to_end(pod: &Map) -> bool {
    str_at(pod, &["spec", "nodeName"]).is_empty()
        || matches!(str_at(pod, &["status", "phase"]), "Succeeded" | "Failed")
}

fn own_grace(pod: &Map) -> i64 {
    let own = map_of(pod, "spec").and_then(|spec| int_of(spec, "terminationGracePeriodSeconds"));
    own.map_or(POD_GRACE, |seconds| seconds.max(0))
}

fn mark(object: &mut Map, now: Timestamp, grace: i64) {
    let metadata = map_mut(object, "metadata");
    let end = now.checked_add(SignedDuration::from_secs(grace)).unwrap_or(Timestamp::MAX);
    metadata.insert("deletionTimestamp".into(), rfc3339(end).into());
    metadata.insert("deletionGracePeriodSeconds".into(), grace.into());
    if let Some(generation) = int_of(metadata, "generation").filter(|generation| *generation > 0) {
        metadata.insert("generation".into(), (generation + 1).into());
    }
}

fn shorten(object: &mut Map, left: i64, grace: i64) {
    let metadata = map_mut(object, "metadata");
    let end = metadata.get("deletionTimestamp").and_then(Value::as_str);
    if let Some(end) = end.and_then(|end| end.parse::<Timestamp>().ok())
        && let Ok(sooner) = end.checked_sub(SignedDuration::from_secs(left - grace))
    {
        metadata.insert("deletionTimestamp".into(), rfc3339(sooner).into());
    }
    metadata.insert("deletionGracePeriodSeconds".into(), grace.into());
}

fn is_deleting(object: &Map) -> bool {
    map_of(object, "metadata").is_some_and(|meta| !is_empty(meta, "deletionTimestamp"))
}

fn is_held(object: &Map) -> bool {
    map_of(object, "metadata").is_some_and(|meta| !is_empty(meta, "finalizers"))
}

/// A namespace has finalizers of its own, beside those all objects have.
fn is_kept_namespace(namespace: &Map) -> bool {
    map_at(namespace, &["spec"]).is_some_and(|spec| !is_empty(spec, "finalizers"))
}

fn unless_same(new: Map, old: &Map) -> Plan {
    if new == *old { Plan::Wait } else { Plan::Mark(new) }
}

/// The finalizers an object has once its dependents' fate is decided.
fn finalizers(resource: &GroupVersionResource, old: &Map, options: &DeleteOptions) -> Vec<Value> {
    let empty = Map::new();
    let current = list_of(map_of(old, "metadata").unwrap_or(&empty), "finalizers");
    let has = |name: &str| current.iter().any(|finalizer| finalizer == name);
    let (orphan, foreground) = match (options.orphan_dependents, options.propagation_policy) {
        (Some(orphan), _) => (orphan, false),
        (None, Some(policy)) => (policy == Propagation::Orphan, policy == Propagation::Foreground),
        (None, None) => {
            let orphan = has(ORPHAN) || (!has(FOREGROUND) && orphans_by_default(resource));
            (orphan, !orphan && has(FOREGROUND))
        }
    };
    let others = current.iter().filter(|f| *f != ORPHAN && *f != FOREGROUND).cloned();
    let added = [(orphan, ORPHAN), (foreground, FOREGROUND)];
    let added = added.into_iter().filter(|(wanted, _)| *wanted).map(|(_, name)| name.into());
    others.chain(added).collect()
}

/// Kinds older than garbage collection leave what they own when nobody says otherwise.
fn orphans_by_default(resource: &GroupVersionResource) -> bool {
    *resource == scheme::REPLICATIONCONTROLLERS || *resource == scheme::JOBS
}

fn set_finalizers(object: &mut Map, finalizers: Vec<Value>) {
    let metadata = map_mut(object, "metadata");
    if finalizers.is_empty() {
        metadata.shift_remove("finalizers");
    } else {
        metadata.insert("finalizers".into(), finalizers.into());
    }
}

#[cfg(test)]
mod tests;
