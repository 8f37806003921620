//! The history of a pod template: one ControllerRevision for each that there was.

use super::hash;
use super::ops::Op;
use super::owner::{name_of, owned_meta};
use serde_json::{Value, json};
use windlass_core::apis::apps::v1::ControllerRevision;
use windlass_core::apis::core::v1::PodTemplateSpec;
use windlass_core::apis::meta::v1::ObjectMeta;
use windlass_core::client::{DeleteOptions, Key};
use windlass_core::scheme::{self, GroupVersionKind};

/// Which revision a pod, or a ControllerRevision, is of.
pub(crate) const HASH_LABEL: &str = "controller-revision-hash";

/// The revision that a template is, and what makes the history show that.
#[derive(Debug)]
pub(crate) struct Current {
    /// The revision's name.
    pub(crate) name: String,
    /// Its hash.
    pub(crate) hash: String,
    /// What is to be written.
    pub(crate) ops: Vec<Op>,
    /// How many hashes were taken by other templates so far.
    pub(crate) collisions: Option<i32>,
}

/// Finds the revision of a template, or makes it. `history` is all that the owner has; a name that is `taken` is another
/// template's, or another owner's: then the hash is made anew with the number of collisions so far.
pub(crate) fn current(
    gvk: &GroupVersionKind,
    owner: &ObjectMeta,
    template: &PodTemplateSpec,
    collisions: Option<i32>,
    history: &[ControllerRevision],
    taken: impl Fn(&str) -> bool,
) -> Current {
    let data = data_of(template);
    let newest = history.iter().map(|revision| revision.revision).max().unwrap_or(0);
    if let Some(known) = history
        .iter()
        .filter(|known| data_in(known) == Some(&data))
        .max_by_key(|known| known.revision)
    {
        let ops = if known.revision == newest { vec![] } else { vec![renumber(known, newest + 1)] };
        let hash = label(known).unwrap_or_default();
        return Current { name: name_of(&known.metadata).into(), hash, ops, collisions };
    }
    let mut count = collisions.unwrap_or(0);
    let mut hash = hash::of(&data, count);
    let named = |hash: &str| format!("{}-{hash}", name_of(owner));
    while taken(&named(&hash)) {
        count += 1;
        hash = hash::of(&data, count);
    }
    let (name, collisions) = (named(&hash), Some(count).filter(|count| *count > 0).or(collisions));
    let mut labels =
        template.metadata.as_ref().and_then(|meta| meta.labels.clone()).unwrap_or_default();
    labels.insert(HASH_LABEL.into(), hash.clone());
    let mut metadata = owned_meta(gvk, owner, name.clone());
    metadata.labels = Some(labels);
    metadata.annotations.clone_from(&owner.annotations);
    let revision = ControllerRevision { metadata, revision: newest + 1, data: None };
    let mut body = serde_json::to_value(&revision).unwrap_or_default();
    body["data"] = data;
    let key = Key::new(
        scheme::CONTROLLERREVISIONS,
        owner.namespace.clone().unwrap_or_default(),
        name.clone(),
    );
    Current { name, hash, ops: vec![Op::Create(key, body)], collisions }
}

/// The template of a revision.
pub(crate) fn template_of(revision: &ControllerRevision) -> Option<PodTemplateSpec> {
    let mut template = data_in(revision)?["spec"]["template"].clone();
    template.as_object_mut()?.shift_remove("$patch");
    serde_json::from_value(template).ok()
}

/// Deletes the oldest revisions that no pod is of and that the history has no room for.
pub(crate) fn clean_up(
    history: &[ControllerRevision],
    in_use: impl Fn(&ControllerRevision) -> bool,
    limit: i32,
) -> Vec<Op> {
    let mut idle: Vec<_> = history.iter().filter(|revision| !in_use(revision)).collect();
    idle.sort_by_key(|revision| revision.revision);
    let surplus = idle.len().saturating_sub(usize::try_from(limit).unwrap_or(0));
    let delete = |revision: &&ControllerRevision| {
        let uid = revision.metadata.uid.clone().unwrap_or_default();
        Op::Delete(key(revision), DeleteOptions::uid(uid))
    };
    idle.iter().take(surplus).map(delete).collect()
}

/// What a revision's hash label says.
pub(crate) fn label(revision: &ControllerRevision) -> Option<String> {
    revision.metadata.labels.as_ref()?.get(HASH_LABEL).cloned()
}

fn renumber(revision: &ControllerRevision, number: i64) -> Op {
    Op::Patch(key(revision), json!({"revision": number}))
}

fn key(revision: &ControllerRevision) -> Key {
    let meta = &revision.metadata;
    Key::new(scheme::CONTROLLERREVISIONS, meta.namespace.clone().unwrap_or_default(), name_of(meta))
}

/// A patch that brings the template back, as `kubectl rollout undo` applies it.
fn data_of(template: &PodTemplateSpec) -> Value {
    let mut template = serde_json::to_value(template).unwrap_or_default();
    template["$patch"] = "replace".into();
    json!({"spec": {"template": template}})
}

fn data_in(revision: &ControllerRevision) -> Option<&Value> {
    revision.data.as_ref().map(|data| &data.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_taken_is_not_taken_again() {
        let gvk = GroupVersionKind::new("apps", "v1", "StatefulSet");
        let owner = ObjectMeta { name: Some("db".into()), ..ObjectMeta::default() };
        let template = PodTemplateSpec::default();
        let first = current(&gvk, &owner, &template, None, &[], |_| false);
        let second = current(&gvk, &owner, &template, None, &[], |name| name == first.name);
        assert_ne!(first.name, second.name);
        assert_eq!((first.collisions, second.collisions), (None, Some(1)));
        let again = current(&gvk, &owner, &template, Some(1), &[], |_| false);
        assert_eq!(again.name, second.name, "the count is remembered");
    }
}
