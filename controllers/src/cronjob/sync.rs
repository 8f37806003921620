//! Reads caches, applies the plan.

use super::plan::plan;
use crate::Context;
use crate::support::ops;
use crate::support::status;
use crate::support::writes::Writes;
use crate::views::{BY_CONTROLLER, Workloads};
use async_trait::async_trait;
use windlass_core::apis::batch::v1::{CronJob, Job};
use windlass_core::client::Key;
use windlass_core::controller::{Action, ObjectKey, Reconciler};
use windlass_core::events::Recorder;
use windlass_core::{Error, Result, scheme};

pub(super) struct Sync {
    context: Context,
    recorder: Recorder,
    crons: Workloads,
    jobs: Workloads,
    writes: Writes,
    /// Of the CronJobs themselves: the status says which time was the last.
    statuses: Writes,
}

impl Sync {
    pub(super) fn new(context: &Context, crons: Workloads, jobs: Workloads) -> Self {
        let recorder = context.recorder.named("cronjob-controller");
        let (writes, statuses) = (Writes::default(), Writes::default());
        Self { context: context.clone(), recorder, crons, jobs, writes, statuses }
    }
}

#[async_trait]
impl Reconciler for Sync {
    type Request = ObjectKey;
    type Error = Error;

    async fn reconcile(&self, request: &ObjectKey) -> Result<Action> {
        if !self.writes.are_shown(request, &self.jobs)
            || !self.statuses.are_shown(request, &self.crons)
        {
            return Ok(Writes::wait());
        }
        let Some(entry) = self.crons.get(&request.namespace, &request.name) else {
            return Ok(Action::Done);
        };
        let cron: CronJob = entry.object.view()?;
        let uid = &entry.object.header().uid;
        let jobs: Vec<Job> = self
            .jobs
            .by_index(BY_CONTROLLER, uid)
            .iter()
            .map(|job| job.object.view())
            .collect::<Result<_>>()?;
        // To the nanosecond: a time of the schedule is never early.
        let plan = plan(&cron, &jobs, self.context.env.clock.now());
        // The Job first: its name is that of its time, so a second attempt makes no second Job.
        let version = ops::apply(&*self.context.client, &self.recorder, plan.ops).await?;
        self.writes.wrote(request, version);
        if Some(&plan.status) != cron.status.as_ref() {
            let key = Key::new(scheme::CRONJOBS, &request.namespace, &request.name);
            let (client, own) = (&*self.context.client, &self.statuses);
            status::write(client, own, request, key, &entry.object, &plan.status).await?;
        }
        Ok(plan.again.map_or(Action::Done, Action::RequeueAfter))
    }
}
