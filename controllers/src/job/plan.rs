//! What to do next about a Job.

use super::GVK;
use super::count::{Count, Ending};
use super::finish::{self, Finish, condition};
use super::per_index::{self, Last, Verdict};
use super::pods::{has_finalizer, index, is_indexed, limit_per_index, pod, pod_after, spec};
use crate::support::ops::Op;
use crate::support::owner::{reference, uid_of};
use crate::support::pods::deletion_order;
use crate::support::time::{time, until};
use crate::views::Pod;
use jiff::Timestamp;
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;
use std::time::Duration;
use windlass_core::apis::batch::v1::{Job, JobCondition, JobStatus};
use windlass_core::apis::core::v1::Pod as ApiPod;

/// The wait after a failure, doubled with each; and the longest.
const BACKOFF: (i64, i64) = (10, 600);

/// What a plan is made from.
pub(super) struct Snapshot<'a> {
    pub(super) job: &'a Job,
    /// All pods it owns.
    pub(super) pods: Vec<Pod>,
    /// Whole pods that failed and are not counted yet, by uid.
    pub(super) failed: Vec<ApiPod>,
    pub(super) now: Timestamp,
}

/// What comes of it, in this order: the status is written, as if all pods were made; events are told; finalizers go, pods
/// are deleted and made.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) status: JobStatus,
    pub(super) release: Vec<Pod>,
    pub(super) create: Vec<ApiPod>,
    pub(super) delete: Vec<Pod>,
    pub(super) events: Vec<Op>,
    /// Look again after this time.
    pub(super) again: Option<Duration>,
}

/// Pods that failed by uid: what the policy says of each, and how the Job ends if that is `FailJob`. Empty without a policy.
type Judged<'a> = FxHashMap<&'a str, (&'a str, Finish)>;

struct Planner<'a> {
    at: &'a Snapshot<'a>,
    judged: Judged<'a>,
    count: Count,
    active: Vec<Pod>,
    suspended: bool,
    plan: Plan,
}

pub(super) fn plan(at: &Snapshot<'_>) -> Plan {
    if condition(at.job, "Complete").or(condition(at.job, "Failed")).is_some() {
        let release = at.pods.iter().filter(|pod| has_finalizer(pod)).cloned().collect();
        return Plan {
            status: at.job.status.clone().unwrap_or_default(),
            release,
            ..Plan::default()
        };
    }
    let mut planner = Planner::new(at);
    planner.run();
    planner.plan
}

impl<'a> Planner<'a> {
    fn new(at: &'a Snapshot<'a>) -> Self {
        let suspended = spec(at.job).suspend == Some(true);
        let over = suspended || is_over(at.job);
        let judged = judge(at);
        let mut count = Count::new(at.job, &at.pods, |pod| ending(at.job, &judged, pod, over));
        let failed = per_index::failed(at.job, &at.pods, |pod| failure(&judged, pod));
        count.failed_indexes.extend(failed);
        let completed = count.completed.clone();
        count.failed_indexes.retain(|index| !completed.contains(index));
        let active = at.pods.iter().filter(|pod| pod.view.is_active()).cloned().collect();
        let status = at.job.status.clone().unwrap_or_default();
        Self { at, judged, count, active, suspended, plan: Plan { status, ..Plan::default() } }
    }

    fn run(&mut self) {
        let job = self.at.job;
        let over = self.suspended || is_over(job);
        let judged = self.at.failed.iter().filter_map(|pod| self.judged.get(uid_of(&pod.metadata)));
        let mut ends = judged.filter(|(action, _)| *action == "FailJob");
        let policy = ends.next().map(|(_, finish)| finish.clone());
        let finish = finish::finish(job, &self.at.pods, &self.count, policy, self.at.now);
        let finished = finish.is_some();
        if job.metadata.deletion_timestamp.is_some() {
            // The collector deletes the pods; here they are let go.
        } else if let Some(finish) = finish {
            self.finish(&finish);
        } else if self.suspended {
            self.suspend();
        } else {
            self.start();
            self.scale();
        }
        let noted = |pod: &Pod| {
            let uid = &*pod.object.header().uid;
            self.count.succeeded.contains(uid) || self.count.failed.contains(uid)
        };
        let ignored = |pod: &Pod| ending(job, &self.judged, pod, over) == Ending::Ignored;
        let last = self.last();
        let ends = over || finished;
        let held = |pod: &Pod| !ends && last.holds(pod, &self.active, &self.count);
        let release = self
            .at
            .pods
            .iter()
            .filter(|pod| has_finalizer(pod) && (noted(pod) || ignored(pod)) && !held(pod));
        self.plan.release = release.cloned().collect();
        self.write_status();
    }

    fn finish(&mut self, finish: &Finish) {
        let (soon, now) = finish.conditions();
        self.set_condition(soon, "True", &finish.reason, &finish.message);
        self.plan.delete.clone_from(&self.active);
        let ended = self.at.pods.iter().all(|pod| pod.view.is_terminal() || !has_finalizer(pod));
        if !(ended && self.active.is_empty() && self.count.is_settled()) {
            return;
        }
        self.set_condition(now, "True", &finish.reason, &finish.message);
        let about = reference(&GVK, &self.at.job.metadata);
        if finish.success {
            self.plan.status.completion_time = Some(time(self.at.now));
            self.plan.events.push(Op::normal(about, "Completed", "Job completed"));
        } else {
            let reason = match finish.reason.as_str() {
                "DeadlineExceeded" => "DeadlineExceeded",
                "PodFailurePolicy" => "PodFailurePolicy",
                "FailedIndexes" => "FailedIndexes",
                "MaxFailedIndexesExceeded" => "MaxFailedIndexesExceeded",
                _ => "BackoffLimitExceeded",
            };
            self.plan.events.push(Op::warning(about, reason, finish.message.clone()));
        }
    }

    fn suspend(&mut self) {
        self.plan.delete.clone_from(&self.active);
        self.plan.status.start_time = None;
        if self.set_condition("Suspended", "True", "JobSuspended", "Job suspended") {
            let about = reference(&GVK, &self.at.job.metadata);
            self.plan.events.push(Op::normal(about, "Suspended", "Job suspended"));
        }
    }

    fn start(&mut self) {
        let was_suspended = condition(self.at.job, "Suspended").is_some();
        if was_suspended && self.set_condition("Suspended", "False", "JobResumed", "Job resumed") {
            let about = reference(&GVK, &self.at.job.metadata);
            self.plan.events.push(Op::normal(about, "Resumed", "Job resumed"));
        }
        self.plan.status.start_time.get_or_insert(time(self.at.now));
        self.plan.again = match spec(self.at.job).active_deadline_seconds {
            Some(seconds)
                if self.at.job.status.as_ref().is_none_or(|status| status.start_time.is_none()) =>
            {
                Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
            }
            _ => finish::time_left(self.at.job, self.at.now),
        };
    }

    fn scale(&mut self) {
        let (wanted, active) = (self.wanted(), self.active.len());
        if active > wanted {
            let mut order = self.active.clone();
            order.sort_by(|a, b| {
                index(b).cmp(&index(a)).then_with(|| deletion_order((a, 0), (b, 0)))
            });
            order.truncate(active - wanted);
            self.plan.delete = order;
            return;
        }
        let only_ended = spec(self.at.job).pod_replacement_policy.as_deref() == Some("Failed");
        let terminating =
            self.at.pods.iter().filter(|pod| only_ended && pod.view.is_terminating()).count();
        let missing = wanted.saturating_sub(active + terminating);
        if missing == 0 {
            return;
        }
        if limit_per_index(self.at.job).is_some() {
            self.create_per_index(missing);
            return;
        }
        let wait = self.backoff();
        if !wait.is_zero() {
            self.look_again(wait);
            return;
        }
        self.plan.create = match is_indexed(self.at.job) {
            true => self
                .free_indexes()
                .into_iter()
                .take(missing)
                .map(|index| pod(self.at.job, Some(index)))
                .collect(),
            false => vec![pod(self.at.job, None); missing],
        };
    }

    /// Each index waits for itself after its failures; others don't wait for it.
    fn create_per_index(&mut self, missing: usize) {
        let last = self.last();
        let mut waits = vec![];
        let mut create = vec![];
        for index in self.free_indexes() {
            if create.len() >= missing {
                break;
            }
            let (wait, failures) =
                last.get(index).map_or_else(Default::default, |(pod, failures)| {
                    let ended = pod.object.view::<ApiPod>().ok().as_ref().and_then(ended_at);
                    let wait = ended.map(|at| wait_after(failures.counted, at, self.at.now));
                    (wait.unwrap_or_default(), failures)
                });
            if wait.is_zero() {
                create.push(pod_after(self.at.job, index, failures));
            } else {
                waits.push(wait);
            }
        }
        waits.into_iter().min().into_iter().for_each(|wait| self.look_again(wait));
        self.plan.create = create;
    }

    fn last(&self) -> Last<'a> {
        Last::of(self.at.job, &self.at.pods, |pod| failure(&self.judged, pod))
    }

    fn look_again(&mut self, wait: Duration) {
        self.plan.again = Some(self.plan.again.map_or(wait, |again| again.min(wait)));
    }

    /// How many pods shall run now.
    fn wanted(&self) -> usize {
        let spec = spec(self.at.job);
        let parallelism = spec.parallelism.unwrap_or(1);
        let succeeded = self.count.total_succeeded();
        let failed = i32::try_from(self.count.failed_indexes.len()).unwrap_or(i32::MAX);
        let wanted = match spec.completions {
            Some(completions) => parallelism.min(completions - succeeded - failed),
            // A work queue: after the first success the others end by themselves.
            None if succeeded > 0 => {
                parallelism.min(i32::try_from(self.active.len()).unwrap_or(i32::MAX))
            }
            None => parallelism,
        };
        usize::try_from(wanted).unwrap_or(0)
    }

    fn free_indexes(&self) -> Vec<i32> {
        let completions = spec(self.at.job).completions.unwrap_or(0);
        let taken: BTreeSet<i32> = self.active.iter().filter_map(index).collect();
        (0..completions)
            .filter(|at| {
                let count = &self.count;
                let done = count.completed.contains(at) || count.failed_indexes.contains(at);
                !taken.contains(at) && !done
            })
            .collect()
    }

    /// How long to wait after the last failure before another pod is made.
    fn backoff(&self) -> Duration {
        let failures = self.count.total_failed();
        let last = self.at.failed.iter().filter_map(ended_at).max();
        let counted = self
            .at
            .pods
            .iter()
            .filter(|pod| pod.view.status.phase == "Failed")
            .filter_map(|pod| pod.object.view::<ApiPod>().ok().as_ref().and_then(ended_at));
        let Some(last) = counted.max().max(last).filter(|_| failures > 0) else {
            return Duration::ZERO;
        };
        wait_after(failures, last, self.at.now)
    }

    fn write_status(&mut self) {
        let number = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
        let deleted = self.plan.delete.len();
        let ready = self.active.iter().filter(|pod| pod.view.is_ready()).count();
        let terminating = self.at.pods.iter().filter(|pod| pod.view.is_terminating()).count();
        let left = number(self.active.len().saturating_sub(deleted));
        let active = left.saturating_add(number(self.plan.create.len()));
        let status = &mut self.plan.status;
        self.count.write(status);
        status.active = Some(active).filter(|active| *active > 0);
        status.ready = Some(number(ready).min(left));
        status.terminating = Some(number(terminating));
    }

    /// Whether that is news.
    fn set_condition(&mut self, kind: &str, state: &str, reason: &str, message: &str) -> bool {
        let conditions = self.plan.status.conditions.get_or_insert_default();
        let known = conditions.iter_mut().find(|condition| condition.type_ == kind);
        if known.as_ref().is_some_and(|known| known.status == state) {
            return false;
        }
        let new = JobCondition {
            type_: kind.into(),
            status: state.into(),
            reason: Some(reason.into()),
            message: Some(message.into()),
            last_transition_time: Some(time(self.at.now)),
            last_probe_time: Some(time(self.at.now)),
        };
        match known {
            Some(known) => *known = new,
            None => conditions.push(new),
        }
        true
    }
}

/// How long to wait after so many failures, the last at this time.
fn wait_after(failures: i32, last: Timestamp, now: Timestamp) -> Duration {
    if failures <= 0 {
        return Duration::ZERO;
    }
    let (first, max) = BACKOFF;
    let factor = 1_i64 << (failures - 1).clamp(0, 20);
    until(last, (first * factor).min(max), now)
}

fn judge<'a>(at: &'a Snapshot<'_>) -> Judged<'a> {
    let judged = at.failed.iter();
    judged.filter_map(|pod| Some((uid_of(&pod.metadata), finish::policy(at.job, pod)?))).collect()
}

/// What the policy says of a pod that failed.
fn action<'a>(judged: &Judged<'a>, pod: &Pod) -> Option<&'a str> {
    judged.get(&*pod.object.header().uid).map(|(action, _)| *action)
}

/// What the failure of a pod means for its index.
fn failure(judged: &Judged<'_>, pod: &Pod) -> Verdict {
    match action(judged, pod) {
        Some("Ignore") => Verdict::Ignored,
        Some("FailIndex") => Verdict::FailsIndex,
        _ => Verdict::Counts,
    }
}

/// It is decided how the Job ends, or it goes: what ends from now on counts no more as a failure.
fn is_over(job: &Job) -> bool {
    job.metadata.deletion_timestamp.is_some()
        || condition(job, "FailureTarget").or(condition(job, "SuccessCriteriaMet")).is_some()
}

fn ending(job: &Job, judged: &Judged<'_>, pod: &Pod, over: bool) -> Ending {
    let view = &pod.view;
    let deleting = pod.object.header().deleting;
    match view.status.phase.as_str() {
        "Succeeded" => Ending::Succeeded,
        "Failed" if action(judged, pod) == Some("Ignore") => Ending::Ignored,
        "Failed" => Ending::Failed,
        _ if deleting && over => Ending::Ignored,
        _ if deleting && spec(job).pod_replacement_policy.as_deref() != Some("Failed") => {
            Ending::Failed
        }
        _ => Ending::None,
    }
}

fn ended_at(pod: &ApiPod) -> Option<Timestamp> {
    let statuses = pod.status.as_ref()?.container_statuses.iter().flatten();
    let ends = statuses.filter_map(|status| {
        Some(status.state.as_ref()?.terminated.as_ref()?.finished_at.as_ref()?.0)
    });
    ends.max().or_else(|| pod.metadata.creation_timestamp.as_ref().map(|time| time.0))
}
