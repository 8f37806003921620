//! Which Job to make now, which to delete, and when to look again.

use super::GVK;
use super::schedule::{Schedule, ScheduleError};
use crate::support::ops::Op;
use crate::support::owner::{name_of, namespace_of, owned_meta, reference, uid_of};
use crate::support::time::time;
use jiff::Timestamp;
use std::time::Duration;
use windlass_core::apis::batch::v1::{CronJob, CronJobSpec, CronJobStatus, Job};
use windlass_core::apis::core::v1::ObjectReference;
use windlass_core::client::{DeleteOptions, Key, Propagation};
use windlass_core::scheme;

const SCHEDULED_AT: &str = "batch.kubernetes.io/cronjob-scheduled-timestamp";
/// More missed times than this are told as a mistake.
const TOO_MANY: usize = 100;

/// What comes of it. The status is written last: a Job is named by its time, so none is made twice.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) status: CronJobStatus,
    pub(super) ops: Vec<Op>,
    /// Look again after this time.
    pub(super) again: Option<Duration>,
}

struct Planner<'a> {
    cron: &'a CronJob,
    spec: &'a CronJobSpec,
    jobs: &'a [Job],
    now: Timestamp,
    plan: Plan,
}

/// What to do at `now` with all Jobs the CronJob owns.
pub(super) fn plan(cron: &CronJob, jobs: &[Job], now: Timestamp) -> Plan {
    let spec = &cron.spec;
    let plan = Plan { status: cron.status.clone().unwrap_or_default(), ..Plan::default() };
    let mut planner = Planner { cron, spec, jobs, now, plan };
    planner.account();
    planner.clean_up();
    if cron.metadata.deletion_timestamp.is_none() && spec.suspend != Some(true) {
        match Schedule::parse(&spec.schedule, spec.time_zone.as_deref()) {
            Ok(schedule) => planner.fire(&schedule),
            Err(error) => planner.complain(&error),
        }
    }
    planner.plan
}

impl Planner<'_> {
    /// Which Jobs are active, and which ended since.
    fn account(&mut self) {
        let before = self.plan.status.active.take().unwrap_or_default();
        let active: Vec<_> =
            self.jobs.iter().filter(|job| end(job).is_none()).map(job_reference).collect();
        for ended in before.iter().filter(|was| !active.iter().any(|is| is.uid == was.uid)) {
            let job = self.jobs.iter().find(|job| job.metadata.uid == ended.uid);
            let name = ended.name.clone().unwrap_or_default();
            let (reason, message) = match job.and_then(end) {
                Some(condition) => (
                    "SawCompletedJob",
                    format!("Saw completed job: {name}, condition: {condition}"),
                ),
                None => ("MissingJob", format!("Active job went missing: {name}")),
            };
            self.plan.ops.push(Op::normal(reference(&GVK, &self.cron.metadata), reason, message));
        }
        let done = self.jobs.iter().filter_map(|job| job.status.as_ref()?.completion_time.as_ref());
        let last = done.map(|time| time.0).max().map(time);
        if last.as_ref().map(|time| time.0)
            > self.plan.status.last_successful_time.as_ref().map(|time| time.0)
        {
            self.plan.status.last_successful_time = last;
        }
        self.plan.status.active = Some(active).filter(|active| !active.is_empty());
    }

    /// Deletes the oldest ended Jobs that the history has no room for.
    fn clean_up(&mut self) {
        let limits = [
            ("Complete", self.spec.successful_jobs_history_limit.unwrap_or(3)),
            ("Failed", self.spec.failed_jobs_history_limit.unwrap_or(1)),
        ];
        for (condition, limit) in limits {
            let mut ended: Vec<_> =
                self.jobs.iter().filter(|job| end(job) == Some(condition)).collect();
            ended.sort_by_key(|job| {
                job.status.as_ref().and_then(|status| status.start_time.as_ref()).map(|time| time.0)
            });
            let surplus = ended.len().saturating_sub(usize::try_from(limit).unwrap_or(0));
            self.plan.ops.extend(ended.iter().take(surplus).map(|job| delete(job)));
        }
    }

    fn fire(&mut self, schedule: &Schedule) {
        let next = schedule.next(self.now);
        self.plan.again =
            next.and_then(|next| Duration::try_from(next.duration_since(self.now)).ok());
        let Some(at) = self.missed(schedule) else { return };
        let deadline = self.spec.starting_deadline_seconds;
        if deadline.is_some_and(|seconds| self.now.as_second() - at.as_second() > seconds) {
            return;
        }
        if self.jobs.iter().any(|job| name_of(&job.metadata) == self.name_at(at)) {
            // It was made, and the status that says so was not written: there is no second one, also later.
            self.plan.status.last_schedule_time = Some(time(at));
            return;
        }
        let active = self.plan.status.active.clone().unwrap_or_default();
        match self.spec.concurrency_policy.as_deref() {
            Some("Forbid") if !active.is_empty() => {
                let message = "Not starting job because prior execution is running and concurrency policy is Forbid";
                self.plan.ops.push(Op::normal(
                    reference(&GVK, &self.cron.metadata),
                    "JobAlreadyActive",
                    message,
                ));
                return;
            }
            Some("Replace") => {
                let active = self.jobs.iter().filter(|job| end(job).is_none());
                self.plan.ops.extend(active.map(delete));
                self.plan.status.active = None;
            }
            _ => {}
        }
        self.make(at);
    }

    /// The last time of the schedule that is past and was not used.
    fn missed(&mut self, schedule: &Schedule) -> Option<Timestamp> {
        let made = self.cron.metadata.creation_timestamp.as_ref().map(|time| time.0);
        let mut since = self.plan.status.last_schedule_time.as_ref().map(|time| time.0).or(made)?;
        if let Some(seconds) = self.spec.starting_deadline_seconds {
            let earliest =
                Timestamp::from_second(self.now.as_second().saturating_sub(seconds).max(0)).ok()?;
            since = since.max(earliest);
        }
        let (mut last, mut count) = (None, 0);
        while let Some(next) = schedule.next(last.unwrap_or(since)).filter(|next| *next <= self.now)
        {
            (last, count) = (Some(next), count + 1);
            if count > TOO_MANY {
                let message = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew";
                self.plan.ops.push(Op::warning(
                    reference(&GVK, &self.cron.metadata),
                    "TooManyMissedTimes",
                    message,
                ));
                // The last one is found from behind: an hour back, a day back, a year back.
                return [3600, 86_400, 31_622_400]
                    .iter()
                    .find_map(|back| self.last_within(schedule, *back));
            }
        }
        last
    }

    fn last_within(&self, schedule: &Schedule, seconds: i64) -> Option<Timestamp> {
        let from = Timestamp::from_second(self.now.as_second() - seconds).ok()?;
        let mut last = None;
        while let Some(next) = schedule.next(last.unwrap_or(from)).filter(|next| *next <= self.now)
        {
            last = Some(next);
        }
        last
    }

    fn name_at(&self, at: Timestamp) -> String {
        format!("{}-{}", name_of(&self.cron.metadata), at.as_second() / 60)
    }

    fn make(&mut self, at: Timestamp) {
        let name = self.name_at(at);
        self.plan.status.last_schedule_time = Some(time(at));
        let template = self.spec.job_template.clone();
        let given = template.metadata.unwrap_or_default();
        let mut metadata = owned_meta(&GVK, &self.cron.metadata, name.clone());
        metadata.labels = given.labels;
        metadata.annotations = given.annotations;
        metadata.annotations.get_or_insert_default().insert(SCHEDULED_AT.into(), at.to_string());
        let job = Job { metadata, spec: template.spec, status: None };
        let key = Key::new(scheme::JOBS, namespace_of(&self.cron.metadata), name.clone());
        self.plan.ops.push(Op::create(key, &job));
        let about = reference(&GVK, &self.cron.metadata);
        self.plan.ops.push(Op::normal(about, "SuccessfulCreate", format!("Created job {name}")));
    }

    fn complain(&mut self, error: &ScheduleError) {
        let about = reference(&GVK, &self.cron.metadata);
        self.plan.ops.push(Op::warning(about, "UnparseableSchedule", error.to_string()));
    }
}

/// The condition a Job ended with.
fn end(job: &Job) -> Option<&str> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    let mut ends = conditions.iter().filter(|condition| condition.status == "True");
    ends.find(|condition| condition.type_ == "Complete" || condition.type_ == "Failed")
        .map(|condition| condition.type_.as_str())
}

fn job_reference(job: &Job) -> ObjectReference {
    ObjectReference {
        api_version: Some("batch/v1".into()),
        kind: Some("Job".into()),
        namespace: job.metadata.namespace.clone(),
        name: job.metadata.name.clone(),
        uid: job.metadata.uid.clone(),
        resource_version: None,
        field_path: None,
    }
}

fn delete(job: &Job) -> Op {
    let key = Key::new(scheme::JOBS, namespace_of(&job.metadata), name_of(&job.metadata));
    let propagation_policy = Some(Propagation::Background);
    Op::Delete(
        key,
        DeleteOptions { propagation_policy, ..DeleteOptions::uid(uid_of(&job.metadata)) },
    )
}
