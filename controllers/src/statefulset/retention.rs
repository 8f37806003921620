//! With whom claims go (KEP-1847): with the set, with a pod that is one too many, or with nobody.

use super::GVK;
use super::identity::spec;
use crate::support::ops::Op;
use crate::support::owner::{controller_ref, name_of, uid_of};
use crate::views::Pod;
use serde_json::{Value, json};
use std::sync::Arc;
use windlass_core::apis::apps::v1::StatefulSet;
use windlass_core::apis::meta::v1::{ObjectMeta, OwnerReference};
use windlass_core::cache::{Entry, HeaderOnly};
use windlass_core::client::Key;
use windlass_core::object::Owner;
use windlass_core::scheme::{self, GroupVersionKind};

pub(super) type Claim = Arc<Entry<HeaderOnly>>;

const POD: GroupVersionKind = GroupVersionKind::new("", "v1", "Pod");

/// Whether claims go with the set, and with pods that are too many.
fn policy(set: &StatefulSet) -> (bool, bool) {
    let policy = spec(set).persistent_volume_claim_retention_policy.as_ref();
    let deletes = |when: Option<&String>| when.is_some_and(|when| when == "Delete");
    (
        deletes(policy.and_then(|policy| policy.when_deleted.as_ref())),
        deletes(policy.and_then(|policy| policy.when_scaled.as_ref())),
    )
}

/// Gives a claim that is made now the owner it shall have.
pub(super) fn own_new(set: &StatefulSet, claim: &mut ObjectMeta) {
    if policy(set).0 {
        claim.owner_references = Some(vec![of_set(set)]);
    }
}

/// What gives a claim the owner it shall have: the set, or `surplus`, the pod that uses it and is one too many. A claim
/// that somebody else controls is left alone.
pub(super) fn own(set: &StatefulSet, claim: &Claim, surplus: Option<&Pod>) -> Option<Op> {
    let (with_set, with_pod) = policy(set);
    let header = claim.object.header();
    let ours = |owner: &Owner| *owner.uid == *uid_of(&set.metadata) || *owner.kind == *"Pod";
    let foreign = header.controller().is_some_and(|owner| !ours(owner));
    if foreign || header.deleting {
        return None;
    }
    let wanted = match surplus {
        Some(pod) if with_pod => {
            Some(controller_ref(&POD, pod.object.name(), &pod.object.header().uid))
        }
        Some(_) | None if with_set => Some(of_set(set)),
        _ => None,
    };
    let held = header.owners.iter().filter(|owner| ours(owner)).map(|owner| &*owner.uid);
    if held.eq(wanted.iter().map(|wanted| wanted.uid.as_str())) {
        return None;
    }
    let others = header.owners.iter().filter(|owner| !ours(owner)).map(written);
    let owners: Vec<Value> = others.chain(wanted.iter().map(|wanted| json!(wanted))).collect();
    let version = header.resource_version.to_string();
    let patch = json!({"metadata": {"uid": header.uid, "resourceVersion": version, "ownerReferences": owners}});
    let key = Key::new(scheme::PERSISTENTVOLUMECLAIMS, &*header.namespace, &*header.name);
    Some(Op::Patch(key, patch))
}

/// Whether a claim goes, or will with a pod that is no more.
pub(super) fn is_stale(claim: &Claim) -> bool {
    let header = claim.object.header();
    header.deleting || header.owners.iter().any(|owner| *owner.kind == *"Pod")
}

fn of_set(set: &StatefulSet) -> OwnerReference {
    controller_ref(&GVK, name_of(&set.metadata), uid_of(&set.metadata))
}

fn written(owner: &Owner) -> Value {
    json!({"apiVersion": *owner.api_version, "kind": *owner.kind, "name": owner.name, "uid": owner.uid,
        "controller": owner.controller, "blockOwnerDeletion": owner.block_owner_deletion})
}
