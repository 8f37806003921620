//! What the fields of Deployments and ReplicaSets mean.

use crate::support::intstr::{Round, scaled};
use crate::support::owner::name_of;
use std::collections::BTreeMap;
use windlass_core::apis::IntOrString;
use windlass_core::apis::apps::v1::{Deployment, DeploymentSpec, ReplicaSet, ReplicaSetStatus};
use windlass_core::apis::core::v1::PodTemplateSpec;
use windlass_core::apis::meta::v1::ObjectMeta;

/// Which template a ReplicaSet and its pods were made by.
pub(super) const HASH_LABEL: &str = "pod-template-hash";
pub(super) const REVISION: &str = "deployment.kubernetes.io/revision";
pub(super) const REVISION_HISTORY: &str = "deployment.kubernetes.io/revision-history";
pub(super) const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
pub(super) const MAX: &str = "deployment.kubernetes.io/max-replicas";

pub(super) fn spec(d: &Deployment) -> &DeploymentSpec {
    d.spec.as_ref().expect("the server takes no Deployment without a spec")
}

pub(super) fn wanted(d: &Deployment) -> i32 {
    spec(d).replicas.unwrap_or(1)
}

pub(super) fn is_recreate(d: &Deployment) -> bool {
    spec(d).strategy.as_ref().and_then(|strategy| strategy.type_.as_deref()) == Some("Recreate")
}

pub(super) fn is_paused(d: &Deployment) -> bool {
    spec(d).paused == Some(true)
}

/// How many pods more than wanted, and how many less, there may be during an update. Never both 0.
pub(super) fn limits(d: &Deployment) -> (i32, i32) {
    if is_recreate(d) {
        return (0, 0);
    }
    let rolling = spec(d).strategy.as_ref().and_then(|strategy| strategy.rolling_update.as_ref());
    let surge = rolling.and_then(|rolling| rolling.max_surge.as_ref());
    let unavailable = rolling.and_then(|rolling| rolling.max_unavailable.as_ref());
    let quarter = IntOrString::String("25%".into());
    let surge = scaled(surge.unwrap_or(&quarter), wanted(d), Round::Up);
    let unavailable = scaled(unavailable.unwrap_or(&quarter), wanted(d), Round::Down);
    if surge == 0 && unavailable == 0 { (0, 1) } else { (surge, unavailable.min(wanted(d))) }
}

pub(super) fn max_surge(d: &Deployment) -> i32 {
    limits(d).0
}

pub(super) fn max_unavailable(d: &Deployment) -> i32 {
    if wanted(d) == 0 { 0 } else { limits(d).1 }
}

/// The deadline in seconds; none when a rollout may take for ever.
pub(super) fn progress_deadline(d: &Deployment) -> Option<i64> {
    let seconds = spec(d).progress_deadline_seconds.unwrap_or(600);
    Some(i64::from(seconds)).filter(|_| seconds != i32::MAX)
}

pub(super) fn size(set: &ReplicaSet) -> i32 {
    set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1)
}

pub(super) fn status(set: &ReplicaSet) -> ReplicaSetStatus {
    set.status.clone().unwrap_or_default()
}

pub(super) fn available(set: &ReplicaSet) -> i32 {
    status(set).available_replicas.unwrap_or(0)
}

pub(super) fn annotation<'a>(meta: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    meta.annotations.as_ref()?.get(key).map(String::as_str)
}

pub(super) fn number<T: std::str::FromStr>(meta: &ObjectMeta, key: &str) -> Option<T> {
    annotation(meta, key)?.parse().ok()
}

pub(super) fn revision(set: &ReplicaSet) -> i64 {
    number(&set.metadata, REVISION).unwrap_or(0)
}

pub(super) fn annotations(meta: &mut ObjectMeta) -> &mut BTreeMap<String, String> {
    meta.annotations.get_or_insert_default()
}

/// Older first; of equal age by name.
pub(super) fn by_age(a: &ReplicaSet, b: &ReplicaSet) -> std::cmp::Ordering {
    let born = |set: &ReplicaSet| set.metadata.creation_timestamp.as_ref().map(|time| time.0);
    born(a).cmp(&born(b)).then_with(|| name_of(&a.metadata).cmp(name_of(&b.metadata)))
}

/// Whether a set was made by a template.
pub(super) fn is_of_template(set: &ReplicaSet, template: &PodTemplateSpec) -> bool {
    let of_set = set.spec.as_ref().and_then(|spec| spec.template.clone()).unwrap_or_default();
    without_hash(of_set) == without_hash(template.clone())
}

fn without_hash(mut template: PodTemplateSpec) -> PodTemplateSpec {
    let metadata = template.metadata.get_or_insert_default();
    metadata.creation_timestamp = None;
    metadata.labels.get_or_insert_default().remove(HASH_LABEL);
    template
}
