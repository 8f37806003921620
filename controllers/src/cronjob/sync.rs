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
}

impl Sync {
    pub(super) fn new(context: &Context, crons: Workloads, jobs: Workloads) -> Self {
        let recorder = context.recorder.named("cronjob-controller");
        Self { context: context.clone(), recorder, crons, jobs, writes: Writes::default() }
    }
}

#[async_trait]
impl Reconciler for Sync {
    type Request = ObjectKey;
    type Error = Error;

    async fn reconcile(&self, request: &ObjectKey) -> Result<Action> {
        if !self.writes.are_shown(request, &self.jobs) {
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
            let op = status::replace(key, &entry.object, &plan.status)?;
            ops::apply(&*self.context.client, &self.recorder, vec![op]).await?;
        }
        Ok(plan.again.map_or(Action::Done, Action::RequeueAfter))
    }
}
