//! What to do next about a Deployment.
//!
//! A plan takes one step: it makes the new ReplicaSet, or scales up, or scales down. The step's effect comes back as a
//! change of a ReplicaSet and brings the next one. The status is computed at each step.

mod conditions;
mod proportion;
mod rollout;
mod sets;
mod status;

pub(super) use sets::hash_of;

use super::{GVK, model};
use crate::support::ops::Op;
use crate::support::owner::{name_of, namespace_of, reference};
use jiff::Timestamp;
use std::time::Duration;
use windlass_core::apis::apps::v1::{Deployment, DeploymentStatus, ReplicaSet};
use windlass_core::client::Key;
use windlass_core::events::Reference;
use windlass_core::scheme;

/// What a plan is made from.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) deployment: Deployment,
    /// All ReplicaSets it owns.
    pub(crate) sets: Vec<ReplicaSet>,
    pub(crate) now: Timestamp,
}

/// What comes of it.
#[derive(Debug)]
pub(crate) struct Plan {
    /// In this order. The status is not among them.
    pub(crate) ops: Vec<Op>,
    /// The status as it should be.
    pub(crate) status: DeploymentStatus,
    /// Look again after this time.
    pub(crate) again: Option<Duration>,
}

/// A Deployment with its sets in the course of planning.
struct Rollout<'a> {
    deployment: &'a Deployment,
    now: Timestamp,
    /// The set of the Deployment's own template.
    new: Option<ReplicaSet>,
    /// All others, the oldest first.
    old: Vec<ReplicaSet>,
    ops: Vec<Op>,
    /// The new set was made by this plan.
    created: bool,
}

/// The next step.
pub(crate) fn plan(snapshot: Snapshot) -> Plan {
    let Snapshot { deployment, sets, now } = snapshot;
    let mut rollout = Rollout::new(&deployment, sets, now);
    if deployment.metadata.deletion_timestamp.is_none() {
        rollout.step();
    }
    let status = rollout.status();
    if rollout.is_complete(&status) || model::is_paused(&deployment) {
        rollout.clean_up();
    }
    let again = rollout.time_left(&status);
    Plan { ops: rollout.ops, status, again }
}

// === impl Rollout ===

impl<'a> Rollout<'a> {
    fn new(deployment: &'a Deployment, mut sets: Vec<ReplicaSet>, now: Timestamp) -> Self {
        sets.sort_by(model::by_age);
        let template = &model::spec(deployment).template;
        let at = sets.iter().position(|set| model::is_of_template(set, template));
        let new = at.map(|at| sets.remove(at));
        Self { deployment, now, new, old: sets, ops: vec![], created: false }
    }

    fn step(&mut self) {
        if model::is_paused(self.deployment) || self.is_scaled() {
            self.sync_new();
            self.scale_in_proportion();
        } else if model::is_recreate(self.deployment) {
            self.recreate();
        } else {
            self.roll();
        }
    }

    /// The number of replicas was changed since the sets were last scaled.
    fn is_scaled(&self) -> bool {
        let desired = |set: &ReplicaSet| model::number::<i32>(&set.metadata, model::DESIRED);
        self.all()
            .filter(|set| model::size(set) > 0)
            .any(|set| desired(set).is_some_and(|was| was != model::wanted(self.deployment)))
    }

    /// All sets, the oldest first, the new one last.
    fn all(&self) -> impl Iterator<Item = &ReplicaSet> {
        self.old.iter().chain(&self.new)
    }

    fn total(&self) -> i32 {
        self.all().map(model::size).sum()
    }

    fn reference(&self) -> Reference {
        reference(&GVK, &self.deployment.metadata)
    }

    fn set_key(&self, set: &ReplicaSet) -> Key {
        let namespace = namespace_of(&self.deployment.metadata);
        Key::new(scheme::REPLICASETS, namespace, name_of(&set.metadata))
    }

    /// Gives a set another size, if it has another one or carries old notes of what is wanted.
    fn scale(&mut self, set: &mut ReplicaSet, to: i32) -> bool {
        let from = model::size(set);
        let noted = sets::note_wanted(set, self.deployment);
        if from == to && !noted {
            return false;
        }
        set.spec.get_or_insert_default().replicas = Some(to);
        let (key, name) = (self.set_key(set), name_of(&set.metadata).to_owned());
        self.ops.push(Op::update(key, set));
        if from != to {
            let way = if to > from { "up" } else { "down" };
            let message = format!("Scaled {way} replica set {name} from {from} to {to}");
            self.ops.push(Op::normal(self.reference(), "ScalingReplicaSet", message));
        }
        from != to
    }

    fn scale_new(&mut self, to: i32) -> bool {
        let Some(mut new) = self.new.take() else { return false };
        let scaled = model::size(&new) != to && self.scale(&mut new, to);
        self.new = Some(new);
        scaled
    }

    /// Gives old sets other sizes, in their order, as `to` says; it hears each set.
    fn scale_old(&mut self, mut to: impl FnMut(&ReplicaSet) -> i32) -> bool {
        let mut old = std::mem::take(&mut self.old);
        let mut scaled = false;
        for set in &mut old {
            let to = to(set);
            scaled |= model::size(set) != to && self.scale(set, to);
        }
        self.old = old;
        scaled
    }
}
