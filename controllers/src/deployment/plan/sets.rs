//! The new set, and what is noted on sets.

use super::Rollout;
use crate::deployment::{GVK, model};
use crate::support::hash;
use crate::support::ops::Op;
use crate::support::owner::{name_of, owned_meta};
use serde_json::json;
use windlass_core::apis::apps::v1::{Deployment, ReplicaSet, ReplicaSetSpec};
use windlass_core::apis::meta::v1::ObjectMeta;
use windlass_core::client::{DeleteOptions, Key};
use windlass_core::scheme;

/// Annotations of a Deployment that its sets do not get: they have their own, or no use for them.
const NOT_COPIED: &[&str] = &[
    "kubectl.kubernetes.io/last-applied-configuration",
    model::REVISION,
    model::REVISION_HISTORY,
    model::DESIRED,
    model::MAX,
    "deprecated.deployment.rollback.to",
];

/// The hash of a Deployment's template.
pub(crate) fn hash_of(deployment: &Deployment) -> String {
    let collisions = deployment.status.as_ref().and_then(|status| status.collision_count);
    hash::of_template(&model::spec(deployment).template, collisions)
}

/// Notes on a set how many are wanted, so that a later change of that number is seen. Whether that is news.
pub(super) fn note_wanted(set: &mut ReplicaSet, deployment: &Deployment) -> bool {
    let wanted = model::wanted(deployment);
    let max = wanted + model::max_surge(deployment);
    let notes = model::annotations(&mut set.metadata);
    let mut note = |key: &str, value: i32| {
        notes.insert(key.into(), value.to_string()) != Some(value.to_string())
    };
    let desired = note(model::DESIRED, wanted);
    note(model::MAX, max) || desired
}

impl Rollout<'_> {
    /// Brings the notes on the new set up to date, and makes the Deployment show its revision.
    pub(super) fn sync_new(&mut self) {
        let Some(mut new) = self.new.take() else { return };
        let before = new.clone();
        self.note_revision(&mut new.metadata);
        if let Some(spec) = &mut new.spec {
            spec.min_ready_seconds = model::spec(self.deployment).min_ready_seconds;
        }
        if new != before {
            self.ops.push(Op::update(self.set_key(&new), &new));
        }
        self.show_revision(&new);
        self.new = Some(new);
    }

    /// The new set, made if it is not there.
    pub(super) fn ensure_new(&mut self) {
        if self.new.is_some() {
            return self.sync_new();
        }
        let mut set = self.blank();
        note_wanted(&mut set, self.deployment);
        self.note_revision(&mut set.metadata);
        self.new = Some(set);
        let size = self.room_for_new();
        let Some(set) = &mut self.new else { return };
        set.spec.get_or_insert_default().replicas = Some(size);
        let set = set.clone();
        self.ops.push(Op::create(self.set_key(&set), &set));
        if size > 0 {
            let message =
                format!("Scaled up replica set {} from 0 to {size}", name_of(&set.metadata));
            self.ops.push(Op::normal(self.reference(), "ScalingReplicaSet", message));
        }
        self.show_revision(&set);
        self.created = true;
    }

    /// The set of the Deployment's template, of size 0.
    fn blank(&self) -> ReplicaSet {
        let (spec, hash) = (model::spec(self.deployment), hash_of(self.deployment));
        let mut template = spec.template.clone();
        let labels = template.metadata.get_or_insert_default().labels.get_or_insert_default();
        labels.insert(model::HASH_LABEL.into(), hash.clone());
        let labels = labels.clone();
        let mut selector = spec.selector.clone();
        selector
            .match_labels
            .get_or_insert_default()
            .insert(model::HASH_LABEL.into(), hash.clone());
        let name = format!("{}-{hash}", name_of(&self.deployment.metadata));
        let metadata = ObjectMeta {
            labels: Some(labels),
            ..owned_meta(&GVK, &self.deployment.metadata, name)
        };
        let spec = ReplicaSetSpec {
            replicas: Some(0),
            min_ready_seconds: spec.min_ready_seconds,
            selector,
            template: Some(template),
        };
        ReplicaSet { metadata, spec: Some(spec), status: None }
    }

    /// The Deployment's annotations, and a revision higher than all others.
    fn note_revision(&self, set: &mut ObjectMeta) {
        let given = self.deployment.metadata.annotations.iter().flatten();
        let copied = given.filter(|(key, _)| !NOT_COPIED.contains(&key.as_str()));
        let notes = model::annotations(set);
        notes.extend(copied.map(|(key, value)| (key.clone(), value.clone())));
        let next = self.old.iter().map(model::revision).max().unwrap_or(0) + 1;
        let had = notes.get(model::REVISION).cloned();
        let number: i64 = had.as_deref().and_then(|had| had.parse().ok()).unwrap_or(0);
        if number >= next {
            return;
        }
        notes.insert(model::REVISION.into(), next.to_string());
        if let Some(had) = had {
            let history = notes.entry(model::REVISION_HISTORY.into()).or_default();
            *history = if history.is_empty() { had } else { format!("{history},{had}") };
        }
    }

    fn show_revision(&mut self, new: &ReplicaSet) {
        let revision = model::annotation(&new.metadata, model::REVISION);
        if revision == model::annotation(&self.deployment.metadata, model::REVISION) {
            return;
        }
        let meta = &self.deployment.metadata;
        let key = Key::new(
            scheme::DEPLOYMENTS,
            meta.namespace.clone().unwrap_or_default(),
            name_of(meta),
        );
        self.ops.push(Op::Patch(
            key,
            json!({"metadata": {"annotations": {model::REVISION: revision}}}),
        ));
    }

    /// Deletes the oldest sets that have no pods and that the history has no room for.
    pub(super) fn clean_up(&mut self) {
        let limit = model::spec(self.deployment).revision_history_limit.unwrap_or(10);
        let mut idle: Vec<_> = self.old.iter().filter(|set| is_idle(set)).collect();
        idle.sort_by_key(|set| model::revision(set));
        let surplus = idle.len().saturating_sub(usize::try_from(limit).unwrap_or(0));
        let delete = |set: &&ReplicaSet| {
            let uid = set.metadata.uid.clone().unwrap_or_default();
            Op::Delete(self.set_key(set), DeleteOptions::uid(uid))
        };
        let ops: Vec<_> = idle.iter().take(surplus).map(delete).collect();
        self.ops.extend(ops);
    }
}

fn is_idle(set: &ReplicaSet) -> bool {
    let status = model::status(set);
    model::size(set) == 0
        && status.replicas == 0
        && set.metadata.deletion_timestamp.is_none()
        && status.observed_generation >= set.metadata.generation
}
