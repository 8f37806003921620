//! When a Job's time is over.

use crate::support::time::until;
use jiff::Timestamp;
use std::time::Duration;
use windlass_core::apis::batch::v1::Job;

/// How long a Job may still stay. None: for ever, or until it finishes.
pub(super) fn time_left(job: &Job, now: Timestamp) -> Option<Duration> {
    let seconds = job.spec.as_ref()?.ttl_seconds_after_finished?;
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    let is_end = |kind: &str| kind == "Complete" || kind == "Failed";
    let end = conditions
        .iter()
        .find(|condition| is_end(&condition.type_) && condition.status == "True")?;
    let stays = job.metadata.deletion_timestamp.is_none();
    let since = end.last_transition_time.as_ref().filter(|_| stays)?.0;
    Some(until(since, i64::from(seconds), now))
}
