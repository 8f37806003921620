//! From the old sets to the new one.

use super::Rollout;
use crate::deployment::model;
use windlass_core::apis::apps::v1::ReplicaSet;

impl Rollout<'_> {
    /// Up with the new, as far as the surge goes; else down with the old, as far as enough pods stay available.
    pub(super) fn roll(&mut self) {
        self.ensure_new();
        if self.created {
            return;
        }
        let size = self.room_for_new();
        if !self.scale_new(size) {
            self.shrink_old();
        }
    }

    /// Down with the old; once they are gone, up with the new.
    pub(super) fn recreate(&mut self) {
        if self.scale_old(|_| 0) || self.old.iter().any(has_pods) {
            return;
        }
        self.ensure_new();
        if !self.created {
            self.scale_new(model::wanted(self.deployment));
        }
    }

    /// The size the new set may have now.
    pub(super) fn room_for_new(&self) -> i32 {
        let wanted = model::wanted(self.deployment);
        let size = self.new.as_ref().map_or(0, model::size);
        if model::is_recreate(self.deployment) || size >= wanted {
            return wanted;
        }
        let room = wanted + model::max_surge(self.deployment) - self.total();
        size + room.max(0).min(wanted - size)
    }

    fn shrink_old(&mut self) {
        let min_available =
            model::wanted(self.deployment) - model::max_unavailable(self.deployment);
        let unavailable_new =
            self.new.as_ref().map_or(0, |new| model::size(new) - model::available(new));
        let mut spare = self.total() - min_available - unavailable_new;
        if spare <= 0 || self.old.iter().all(|set| model::size(set) == 0) {
            return;
        }
        // Pods that don't work go first: nobody misses them.
        let mut sizes: Vec<i32> = self
            .old
            .iter()
            .map(|set| {
                let broken = (model::size(set) - model::available(set)).clamp(0, spare);
                spare -= broken;
                model::size(set) - broken
            })
            .collect();
        let available: i32 = self.all().map(model::available).sum();
        let mut spare = (available - min_available).max(0);
        for size in &mut sizes {
            let less = (*size).min(spare);
            *size -= less;
            spare -= less;
        }
        let mut sizes = sizes.into_iter();
        self.scale_old(|set| sizes.next().unwrap_or(model::size(set)));
    }
}

/// Whether pods of a set may still run.
fn has_pods(set: &ReplicaSet) -> bool {
    let status = model::status(set);
    status.replicas > 0
        || status.terminating_replicas.unwrap_or(0) > 0
        || status.observed_generation < set.metadata.generation
}
