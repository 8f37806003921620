//! Whether a Job is over, and why.

use super::count::Count;
use super::indexes;
use super::pods::{is_indexed, limit_per_index, spec};
use crate::support::time::until;
use crate::views::Pod;
use jiff::Timestamp;
use std::time::Duration;
use windlass_core::apis::batch::v1::{Job, JobCondition, PodFailurePolicyRule};
use windlass_core::apis::core::v1::Pod as ApiPod;

/// How a Job ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finish {
    pub(super) success: bool,
    pub(super) reason: String,
    pub(super) message: String,
}

impl Finish {
    fn new(success: bool, reason: &str, message: impl Into<String>) -> Self {
        Self { success, reason: reason.into(), message: message.into() }
    }

    /// The condition that says it will end so, and the one that says it has.
    pub(super) fn conditions(&self) -> (&'static str, &'static str) {
        if self.success { ("SuccessCriteriaMet", "Complete") } else { ("FailureTarget", "Failed") }
    }
}

/// How it ends, if that is decided. Once decided it stays so.
pub(super) fn finish(
    job: &Job,
    pods: &[Pod],
    count: &Count,
    policy: Option<Finish>,
    now: Timestamp,
) -> Option<Finish> {
    let decided = |kind: &str, success: bool| {
        let condition = condition(job, kind)?;
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        Some(Finish { success, reason: text(&condition.reason), message: text(&condition.message) })
    };
    decided("FailureTarget", false)
        .or_else(|| decided("SuccessCriteriaMet", true))
        .or(policy)
        .or_else(|| failed(job, pods, count, now))
        .or_else(|| succeeded(job, pods, count))
}

pub(super) fn condition<'a>(job: &'a Job, kind: &str) -> Option<&'a JobCondition> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|condition| condition.type_ == kind && condition.status == "True")
}

fn failed(job: &Job, pods: &[Pod], count: &Count, now: Timestamp) -> Option<Finish> {
    let default = if limit_per_index(job).is_some() { i32::MAX } else { 6 };
    let limit = spec(job).backoff_limit.unwrap_or(default);
    let restarts: i32 =
        pods.iter().filter(|pod| pod.view.is_active()).map(|pod| pod.view.restarts()).sum();
    let in_place = spec(job).template.spec.as_ref().and_then(|spec| spec.restart_policy.as_deref())
        == Some("OnFailure");
    if count.total_failed() > limit || (in_place && restarts > 0 && restarts >= limit) {
        return Some(Finish::new(
            false,
            "BackoffLimitExceeded",
            "Job has reached the specified backoff limit",
        ));
    }
    if let (Some(max), true) = (spec(job).max_failed_indexes, limit_per_index(job).is_some())
        && count.failed_indexes.len() > usize::try_from(max).unwrap_or(0)
    {
        return Some(Finish::new(
            false,
            "MaxFailedIndexesExceeded",
            "Job has exceeded the specified maximal number of failed indexes",
        ));
    }
    let late = time_left(job, now).is_some_and(|left| left.is_zero());
    late.then(|| {
        Finish::new(false, "DeadlineExceeded", "Job was active longer than specified deadline")
    })
}

fn succeeded(job: &Job, pods: &[Pod], count: &Count) -> Option<Finish> {
    let succeeded = count.total_succeeded();
    let done = match spec(job).completions {
        Some(completions) => succeeded >= completions,
        None => succeeded > 0 && !pods.iter().any(|pod| pod.view.is_active()),
    };
    if done {
        return Some(Finish::new(
            true,
            "CompletionsReached",
            "Reached expected number of succeeded pods",
        ));
    }
    let all = i64::from(succeeded) + i64::try_from(count.failed_indexes.len()).unwrap_or(i64::MAX);
    if !count.failed_indexes.is_empty()
        && spec(job).completions.is_some_and(|completions| all >= i64::from(completions))
    {
        return Some(Finish::new(false, "FailedIndexes", "Job has failed indexes"));
    }
    let rules =
        spec(job).success_policy.as_ref().map(|policy| policy.rules.as_slice()).unwrap_or_default();
    let met = rules.iter().filter(|_| is_indexed(job)).position(|rule| {
        let named = rule.succeeded_indexes.as_deref().map(indexes::parse);
        let here = count
            .completed
            .iter()
            .filter(|index| named.as_ref().is_none_or(|named| named.contains(index)))
            .count();
        let needed = rule.succeeded_count.map(|count| usize::try_from(count).unwrap_or(0));
        here >= needed.or(named.map(|named| named.len())).unwrap_or(usize::MAX)
    })?;
    Some(Finish::new(true, "SuccessPolicy", format!("Matched rules at index {met}")))
}

/// How long until the active deadline, if there is one.
pub(super) fn time_left(job: &Job, now: Timestamp) -> Option<Duration> {
    let start = job.status.as_ref()?.start_time.as_ref()?.0;
    Some(until(start, spec(job).active_deadline_seconds?, now))
}

/// What the policy says of a pod that failed: its action, and for `FailJob` how the Job ends.
pub(super) fn policy<'a>(job: &'a Job, pod: &ApiPod) -> Option<(&'a str, Finish)> {
    let rules = spec(job).pod_failure_policy.as_ref()?.rules.iter().enumerate();
    let (at, rule) = rules.into_iter().find(|(_, rule)| applies(rule, pod))?;
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    let message = format!("Pod {namespace}/{name} matched {} rule at index {at}", rule.action);
    Some((&rule.action, Finish::new(false, "PodFailurePolicy", message)))
}

fn applies(rule: &PodFailurePolicyRule, pod: &ApiPod) -> bool {
    let Some(status) = &pod.status else { return false };
    if let Some(codes) = &rule.on_exit_codes {
        let all = status.container_statuses.iter().chain(&status.init_container_statuses).flatten();
        let named = all
            .filter(|status| codes.container_name.as_ref().is_none_or(|name| *name == status.name));
        let mut ends =
            named.filter_map(|status| Some(status.state.as_ref()?.terminated.as_ref()?.exit_code));
        let wanted = codes.operator == "In";
        return ends.any(|code| code != 0 && codes.values.contains(&code) == wanted);
    }
    let patterns = rule.on_pod_conditions.iter().flatten();
    let has = |kind: &str, wanted: &str| {
        status
            .conditions
            .iter()
            .flatten()
            .any(|condition| condition.type_ == kind && condition.status == wanted)
    };
    patterns
        .into_iter()
        .any(|pattern| has(pattern.type_.as_str(), pattern.status.as_deref().unwrap_or("True")))
}
