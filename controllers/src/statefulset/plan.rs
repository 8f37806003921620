//! The next step towards the pods that a set asks for, in its order.

use super::GVK;
use super::identity::{claims, ordinal, pod, pod_name, spec};
use super::retention::{self, Claim};
use crate::support::intstr::{Round, scaled};
use crate::support::ops::Op;
use crate::support::owner::{name_of, namespace_of, reference};
use crate::support::revisions::HASH_LABEL;
use crate::support::time::until;
use crate::views::Pod;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;
use windlass_core::apis::apps::v1::{StatefulSet, StatefulSetStatus};
use windlass_core::apis::core::v1::PodTemplateSpec;
use windlass_core::client::{DeleteOptions, Key};
use windlass_core::scheme;

/// What a plan is made from.
pub(super) struct Snapshot<'a> {
    pub(super) set: &'a StatefulSet,
    /// All pods it owns.
    pub(super) pods: Vec<Pod>,
    /// Name of the revision of the set's own template.
    pub(super) update: String,
    /// Name and template of the revision that pods come from until an update is complete.
    pub(super) current: (String, PodTemplateSpec),
    /// How many names of revisions were taken by others.
    pub(super) collisions: Option<i32>,
    /// The claim of this name.
    pub(super) find_claim: &'a dyn Fn(&str) -> Option<Claim>,
    pub(super) now: Timestamp,
}

/// What comes of it.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) ops: Vec<Op>,
    pub(super) status: StatefulSetStatus,
    /// Look again after this time: a pod becomes available then.
    pub(super) again: Option<Duration>,
}

struct Planner<'a> {
    at: &'a Snapshot<'a>,
    by_ordinal: BTreeMap<i32, &'a Pod>,
    first: i32,
    count: i32,
    ordered: bool,
    ops: Vec<Op>,
}

pub(super) fn plan(snapshot: &Snapshot<'_>) -> Plan {
    let mut planner = Planner::new(snapshot);
    if snapshot.set.metadata.deletion_timestamp.is_none() {
        // Each of these says whether the next may begin.
        let _all = planner.fill() && planner.shrink() && planner.update();
    }
    let status = planner.status();
    let again = planner.next_available();
    Plan { ops: planner.ops, status, again }
}

impl<'a> Planner<'a> {
    fn new(at: &'a Snapshot<'a>) -> Self {
        let spec = spec(at.set);
        let by_ordinal = at
            .pods
            .iter()
            .filter_map(|pod| Some((ordinal(at.set, pod.object.name())?, pod)))
            .collect();
        let first = spec.ordinals.as_ref().and_then(|ordinals| ordinals.start).unwrap_or(0);
        let ordered = spec.pod_management_policy.as_deref() != Some("Parallel");
        Self { at, by_ordinal, first, count: spec.replicas.unwrap_or(1), ordered, ops: vec![] }
    }

    fn last(&self) -> i32 {
        self.first + self.count
    }

    /// Makes what is missing; in order: one, and the next when that is available.
    fn fill(&mut self) -> bool {
        for ordinal in self.first..self.last() {
            let found = self.by_ordinal.get(&ordinal).copied();
            match found {
                None => self.create(ordinal),
                Some(pod) if pod.object.header().deleting => {}
                Some(pod) if pod.view.is_terminal() => self.replace(pod),
                Some(pod) => {
                    self.create_claims(ordinal);
                    self.own_claims(ordinal, None);
                    if self.is_available(pod) {
                        continue;
                    }
                }
            }
            if self.ordered {
                return false;
            }
        }
        true
    }

    /// Deletes what is too much, the highest first.
    fn shrink(&mut self) -> bool {
        let (first, last) = (self.first, self.last());
        let surplus: Vec<_> = self
            .by_ordinal
            .iter()
            .filter(|(at, _)| **at < first || **at >= last)
            .map(|(_, pod)| *pod)
            .collect();
        for pod in surplus.into_iter().rev() {
            if !pod.object.header().deleting {
                let ordinal = ordinal(self.at.set, pod.object.name()).unwrap_or_default();
                self.own_claims(ordinal, Some(pod));
                self.delete(pod);
            }
            if self.ordered {
                return false;
            }
        }
        true
    }

    /// Deletes pods of other revisions, the highest first, so that they are made anew; a few at a time.
    fn update(&mut self) -> bool {
        let strategy = spec(self.at.set).update_strategy.as_ref();
        if strategy.and_then(|strategy| strategy.type_.as_deref()) == Some("OnDelete") {
            return true;
        }
        let rolling = strategy.and_then(|strategy| strategy.rolling_update.as_ref());
        let given = rolling.and_then(|rolling| rolling.max_unavailable.as_ref());
        let mut budget = given.map_or(1, |max| scaled(max, self.count, Round::Up)).max(1);
        for ordinal in (self.first + self.partition()..self.last()).rev() {
            let Some(pod) = self.by_ordinal.get(&ordinal).copied() else { return false };
            let old = !is_of(pod, &self.at.update);
            if old && !pod.object.header().deleting {
                self.delete(pod);
                budget -= 1;
            } else if !self.is_available(pod) {
                budget -= 1;
            }
            if budget <= 0 {
                return false;
            }
        }
        true
    }

    fn partition(&self) -> i32 {
        let strategy = spec(self.at.set).update_strategy.as_ref();
        let rolling = strategy.and_then(|strategy| strategy.rolling_update.as_ref());
        rolling.and_then(|rolling| rolling.partition).unwrap_or(0).clamp(0, self.count)
    }

    fn is_available(&self, pod: &Pod) -> bool {
        let seconds = spec(self.at.set).min_ready_seconds.unwrap_or(0);
        pod.view.is_active() && pod.view.is_available(seconds, self.at.now)
    }

    /// Whether a pod that is missing shall be of the current revision: below the partition, and where an update has not
    /// come to yet because a pod above is an old one.
    fn is_current(&self, ordinal: i32) -> bool {
        let (from, to) = (ordinal + 1, self.last().max(ordinal + 1));
        let old_above =
            self.by_ordinal.range(from..to).any(|(_, pod)| !is_of(pod, &self.at.update));
        let on_delete = spec(self.at.set)
            .update_strategy
            .as_ref()
            .and_then(|strategy| strategy.type_.as_deref());
        let behind = ordinal < self.first + self.partition() || old_above;
        on_delete != Some("OnDelete") && self.at.current.0 != self.at.update && behind
    }

    fn create(&mut self, ordinal: i32) {
        if self.has_stale_claim(ordinal) {
            return;
        }
        self.create_claims(ordinal);
        self.own_claims(ordinal, None);
        let set = self.at.set;
        let (revision, template) = if self.is_current(ordinal) {
            (&self.at.current.0, &self.at.current.1)
        } else {
            (&self.at.update, &spec(set).template)
        };
        let pod = pod(set, ordinal, template, revision);
        let (name, of) = (name_of(&pod.metadata).to_owned(), name_of(&set.metadata));
        let message = format!("create Pod {name} in StatefulSet {of} successful");
        self.ops.push(Op::create(Key::new(scheme::PODS, namespace_of(&set.metadata), name), &pod));
        self.ops.push(Op::normal(reference(&GVK, &set.metadata), "SuccessfulCreate", message));
    }

    /// Makes the claims that an ordinal lacks.
    fn create_claims(&mut self, ordinal: i32) {
        let set = self.at.set;
        for (mut claim, _) in claims(set, ordinal) {
            let name = name_of(&claim.metadata).to_owned();
            if (self.at.find_claim)(&name).is_some() {
                continue;
            }
            retention::own_new(set, &mut claim.metadata);
            let pod = pod_name(set, ordinal);
            let message = format!(
                "create Claim {name} Pod {pod} in StatefulSet {} success",
                name_of(&set.metadata)
            );
            let key = Key::new(scheme::PERSISTENTVOLUMECLAIMS, namespace_of(&set.metadata), name);
            self.ops.push(Op::create(key, &claim));
            self.ops.push(Op::normal(reference(&GVK, &set.metadata), "SuccessfulCreate", message));
        }
    }

    /// Sees to it that claims go with the set, or with a pod that is one too many.
    fn own_claims(&mut self, ordinal: i32, surplus: Option<&Pod>) {
        for (claim, _) in claims(self.at.set, ordinal) {
            let found = (self.at.find_claim)(name_of(&claim.metadata));
            self.ops.extend(found.and_then(|found| retention::own(self.at.set, &found, surplus)));
        }
    }

    /// Whether a claim of an ordinal that has no pod is about to go: a new pod waits for that.
    fn has_stale_claim(&self, ordinal: i32) -> bool {
        let claims = claims(self.at.set, ordinal);
        claims.iter().any(|(claim, _)| {
            let found = (self.at.find_claim)(name_of(&claim.metadata));
            found.is_some_and(|found| retention::is_stale(&found))
        })
    }

    /// Deletes a pod that has ended: its name is needed for another.
    fn replace(&mut self, pod: &Pod) {
        let set = &self.at.set.metadata;
        let message = format!(
            "StatefulSet {}/{} is recreating failed Pod {}",
            namespace_of(set),
            name_of(set),
            pod.object.name()
        );
        self.ops.push(Op::warning(reference(&GVK, set), "RecreatingFailedPod", message));
        self.delete(pod);
    }

    fn delete(&mut self, pod: &Pod) {
        let (header, set) = (pod.object.header(), &self.at.set.metadata);
        let message =
            format!("delete Pod {} in StatefulSet {} successful", header.name, name_of(set));
        let key = Key::new(scheme::PODS, &*header.namespace, &*header.name);
        self.ops.push(Op::Delete(key, DeleteOptions::uid(&*header.uid)));
        self.ops.push(Op::normal(reference(&GVK, set), "SuccessfulDelete", message));
    }

    fn status(&self) -> StatefulSetStatus {
        let set = self.at.set;
        let before = set.status.clone().unwrap_or_default();
        let count = |takes: &dyn Fn(&Pod) -> bool| {
            let alive = self.at.pods.iter().filter(|pod| !pod.view.is_terminal());
            i32::try_from(alive.filter(|pod| takes(pod)).count()).unwrap_or(i32::MAX)
        };
        let of = |revision: &str| count(&|pod| is_of(pod, revision) && pod.view.is_active());
        let mut status = StatefulSetStatus {
            replicas: count(&|_| true),
            ready_replicas: Some(count(&|pod| pod.view.is_ready())).filter(|n| *n > 0),
            available_replicas: Some(count(&|pod| self.is_available(pod))),
            current_replicas: Some(of(&self.at.current.0)).filter(|n| *n > 0),
            updated_replicas: Some(of(&self.at.update)).filter(|n| *n > 0),
            current_revision: Some(self.at.current.0.clone()),
            update_revision: Some(self.at.update.clone()),
            observed_generation: set.metadata.generation,
            collision_count: Some(self.at.collisions.unwrap_or(0)),
            conditions: before.conditions,
        };
        let updated = status.updated_replicas.unwrap_or(0);
        if updated == status.replicas
            && status.ready_replicas.unwrap_or(0) == status.replicas
            && updated == self.count
        {
            status.current_revision.clone_from(&status.update_revision);
            status.current_replicas = status.updated_replicas;
        }
        status
    }

    fn next_available(&self) -> Option<Duration> {
        let seconds = spec(self.at.set).min_ready_seconds.unwrap_or(0);
        let waiting =
            self.at.pods.iter().filter(|pod| pod.view.is_active() && !self.is_available(pod));
        waiting
            .filter_map(|pod| pod.view.ready_since())
            .map(|since| until(since, i64::from(seconds), self.at.now))
            .min()
    }
}

fn is_of(pod: &Pod, revision: &str) -> bool {
    pod.object.header().label(HASH_LABEL) == Some(revision)
}
