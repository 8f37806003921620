//! The status of a Deployment.

use super::Rollout;
use crate::deployment::model;
use crate::support::time::until;
use std::time::Duration;
use windlass_core::apis::apps::v1::{DeploymentStatus, ReplicaSet, ReplicaSetStatus};

impl Rollout<'_> {
    pub(super) fn status(&self) -> DeploymentStatus {
        let sum = |field: fn(ReplicaSetStatus) -> i32| -> i32 {
            self.all().map(|set| field(model::status(set))).sum()
        };
        let some = |number: i32| Some(number).filter(|number| *number > 0);
        let available = sum(|status| status.available_replicas.unwrap_or(0));
        let updated = self.new.as_ref().map_or(0, |new| model::status(new).replicas);
        let before = self.deployment.status.clone().unwrap_or_default();
        let mut status = DeploymentStatus {
            observed_generation: self.deployment.metadata.generation,
            replicas: some(sum(|status| status.replicas)),
            updated_replicas: some(updated),
            ready_replicas: some(sum(|status| status.ready_replicas.unwrap_or(0))),
            available_replicas: some(available),
            unavailable_replicas: some(self.total() - available),
            terminating_replicas: Some(sum(|status| status.terminating_replicas.unwrap_or(0))),
            collision_count: before.collision_count,
            conditions: before.conditions,
        };
        self.set_conditions(&mut status);
        status
    }

    /// All pods are by the new template, and available.
    pub(super) fn is_complete(&self, status: &DeploymentStatus) -> bool {
        let wanted = model::wanted(self.deployment);
        [status.updated_replicas, status.replicas, status.available_replicas]
            .iter()
            .all(|number| number.unwrap_or(0) == wanted)
            && self.new.as_ref().is_some_and(is_observed)
            && status.observed_generation >= self.deployment.metadata.generation
    }

    /// How long until the progress deadline.
    pub(super) fn time_left(&self, status: &DeploymentStatus) -> Option<Duration> {
        let seconds = model::progress_deadline(self.deployment)?;
        let condition = super::conditions::find(status, "Progressing")?;
        let at_work = condition.status == "True"
            && condition.reason.as_deref() != Some(super::conditions::COMPLETE);
        let since = condition.last_update_time.as_ref().filter(|_| at_work)?.0;
        Some(until(since, seconds + 1, self.now).max(Duration::from_secs(1)))
    }
}

fn is_observed(set: &ReplicaSet) -> bool {
    model::status(set).observed_generation >= set.metadata.generation
}
