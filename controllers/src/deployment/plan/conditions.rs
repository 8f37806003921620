//! The conditions of a Deployment: Available, Progressing, ReplicaFailure.

use super::Rollout;
use crate::deployment::model;
use crate::support::owner::name_of;
use crate::support::time::{time, until};
use jiff::Timestamp;
use windlass_core::apis::apps::v1::{DeploymentCondition, DeploymentStatus};

pub(super) const COMPLETE: &str = "NewReplicaSetAvailable";
const TIMED_OUT: &str = "ProgressDeadlineExceeded";
const PAUSED: &str = "DeploymentPaused";

/// A condition to be: its status, reason and message.
struct Now<'a>(&'a str, &'a str, String);

pub(super) fn find<'a>(
    status: &'a DeploymentStatus,
    kind: &str,
) -> Option<&'a DeploymentCondition> {
    status.conditions.iter().flatten().find(|condition| condition.type_ == kind)
}

impl Rollout<'_> {
    pub(super) fn set_conditions(&self, status: &mut DeploymentStatus) {
        let min = model::wanted(self.deployment) - model::max_unavailable(self.deployment);
        let available = if status.available_replicas.unwrap_or(0) >= min {
            Now("True", "MinimumReplicasAvailable", "Deployment has minimum availability.".into())
        } else {
            Now(
                "False",
                "MinimumReplicasUnavailable",
                "Deployment does not have minimum availability.".into(),
            )
        };
        set(status, "Available", available, self.now);
        if let Some(progress) = self.progress(status) {
            set(status, "Progressing", progress, self.now);
        }
        self.set_failure(status);
    }

    fn progress(&self, status: &DeploymentStatus) -> Option<Now<'static>> {
        let deadline = model::progress_deadline(self.deployment)?;
        let condition = find(status, "Progressing");
        let reason = condition.and_then(|condition| condition.reason.as_deref());
        if let Some(resting) = self.rest(reason) {
            return resting;
        }
        let name = self
            .new
            .as_ref()
            .map_or(name_of(&self.deployment.metadata), |new| name_of(&new.metadata));
        if self.created {
            return Some(Now(
                "True",
                "NewReplicaSetCreated",
                format!("Created new replica set \"{name}\""),
            ));
        }
        if self.is_complete(status) {
            return Some(Now(
                "True",
                COMPLETE,
                format!("ReplicaSet \"{name}\" has successfully progressed."),
            ));
        }
        if condition.is_none() && self.new.is_some() {
            return Some(Now(
                "True",
                "FoundNewReplicaSet",
                format!("Found new replica set \"{name}\""),
            ));
        }
        // Pods that come and go after a rollout was complete are no new rollout.
        if reason == Some(COMPLETE) && status.replicas == status.updated_replicas {
            return None;
        }
        if self.moves(status) {
            return Some(Now(
                "True",
                "ReplicaSetUpdated",
                format!("ReplicaSet \"{name}\" is progressing."),
            ));
        }
        let since = condition?.last_update_time.as_ref()?.0;
        let late = until(since, deadline, self.now).is_zero() && reason != Some(COMPLETE);
        late.then(|| {
            Now("False", TIMED_OUT, format!("ReplicaSet \"{name}\" has timed out progressing."))
        })
    }

    /// While it is paused, and at the moment it goes on: `Some`, with what that changes.
    #[allow(
        clippy::option_option,
        reason = "outer: nothing else counts now; inner: what to say, if anything"
    )]
    fn rest(&self, reason: Option<&str>) -> Option<Option<Now<'static>>> {
        match (model::is_paused(self.deployment), reason) {
            (true, Some(TIMED_OUT | PAUSED)) => Some(None),
            (true, _) => Some(Some(Now("Unknown", PAUSED, "Deployment is paused".into()))),
            (false, Some(PAUSED)) => {
                Some(Some(Now("Unknown", "DeploymentResumed", "Deployment is resumed".into())))
            }
            (false, _) => None,
        }
    }

    /// More new pods, fewer old ones, or more that work, than the last status said.
    fn moves(&self, now: &DeploymentStatus) -> bool {
        let before = self.deployment.status.clone().unwrap_or_default();
        let number = |number: Option<i32>| number.unwrap_or(0);
        let old =
            |status: &DeploymentStatus| number(status.replicas) - number(status.updated_replicas);
        number(now.updated_replicas) > number(before.updated_replicas)
            || old(now) < old(&before)
            || number(now.ready_replicas) > number(before.ready_replicas)
            || number(now.available_replicas) > number(before.available_replicas)
    }

    /// Shows why pods can't be made, the new set's reason first.
    fn set_failure(&self, status: &mut DeploymentStatus) {
        let failure = self.new.iter().chain(&self.old).find_map(|set| {
            let conditions = model::status(set).conditions.unwrap_or_default();
            conditions.into_iter().find(|condition| condition.type_ == "ReplicaFailure")
        });
        match failure {
            Some(failure) => {
                let reason = failure.reason.unwrap_or_default();
                let now = Now(&failure.status, &reason, failure.message.unwrap_or_default());
                set(status, "ReplicaFailure", now, self.now);
            }
            None => {
                if let Some(conditions) = &mut status.conditions {
                    conditions.retain(|condition| condition.type_ != "ReplicaFailure");
                }
            }
        }
    }
}

/// Sets a condition. Times change only with status and reason; a report of progress counts as a change each time.
fn set(status: &mut DeploymentStatus, kind: &str, new: Now<'_>, now: Timestamp) {
    let Now(state, reason, message) = new;
    let conditions = status.conditions.get_or_insert_default();
    let at = conditions.iter().position(|condition| condition.type_ == kind);
    let same = at.map(|at| &conditions[at]).filter(|old| old.status == state);
    let known = same.is_some_and(|old| old.reason.as_deref() == Some(reason));
    if known && reason != "ReplicaSetUpdated" {
        return;
    }
    let condition = DeploymentCondition {
        type_: kind.into(),
        status: state.into(),
        reason: Some(reason.into()),
        message: Some(message),
        last_update_time: Some(time(now)),
        last_transition_time: same.map_or(Some(time(now)), |old| old.last_transition_time.clone()),
    };
    match at {
        Some(at) => conditions[at] = condition,
        None => conditions.push(condition),
    }
}
