//! Reads caches, applies the plan.

use super::GVK;
use super::plan::{Plan, Snapshot, plan};
use super::pods::{FINALIZER, TRACKED, has_finalizer};
use crate::Context;
use crate::support::batch;
use crate::support::claim;
use crate::support::ops::{self, Op};
use crate::support::owner::reference;
use crate::support::writes::Writes;
use crate::support::{status, time};
use crate::views::{Pod, Pods, Selector, Workloads};
use async_trait::async_trait;
use futures::stream::{self, StreamExt};
use serde_json::json;
use std::sync::Arc;
use windlass_core::apis::batch::v1::{Job, JobStatus};
use windlass_core::client::Key;
use windlass_core::controller::{Action, ObjectKey, Reconciler};
use windlass_core::events::Recorder;
use windlass_core::{Error, Object, Result, scheme};

/// So many pods are let go at once.
const AT_ONCE: usize = 16;

pub(super) struct Sync {
    context: Context,
    recorder: Recorder,
    jobs: Workloads,
    pods: Pods,
    writes: Writes,
    /// Of the Jobs themselves: by its status a Job knows which ends are counted already.
    statuses: Writes,
}

impl Sync {
    pub(super) fn new(context: &Context, jobs: Workloads, pods: Pods) -> Self {
        let recorder = context.recorder.named("job-controller");
        let (writes, statuses) = (Writes::default(), Writes::default());
        Self { context: context.clone(), recorder, jobs, pods, writes, statuses }
    }

    async fn claim(&self, job: &Job, selector: &Selector) -> Result<Vec<Pod>> {
        let owning = claim::Owning {
            context: &self.context,
            pods: &self.pods,
            writes: &self.writes,
            resource: scheme::JOBS,
            gvk: &GVK,
            meta: &job.metadata,
            selector,
            finalizer: Some(FINALIZER),
        };
        owning.claim(|_| true).await
    }

    async fn apply(
        &self,
        request: &ObjectKey,
        object: &Object,
        job: &Job,
        plan: Plan,
    ) -> Result<()> {
        let (client, recorder, writes) = (&*self.context.client, &self.recorder, &self.writes);
        let (mut status, mut shown) = (plan.status, job.status.clone().unwrap_or_default());
        let mut written = None;
        if differ_in_more_than_active(&status, &shown) {
            written = Some(self.write(request, object, &status).await?);
            shown.clone_from(&status);
        }
        ops::apply(client, recorder, plan.events).await?;
        // A pod that can't be let go keeps no other from being made or deleted.
        let released = self.release(request, &plan.release).await;
        let batch = batch::Pods {
            client,
            recorder,
            about: reference(&GVK, &job.metadata),
            writes,
            request,
        };
        batch.delete(&plan.delete).await.map_err(|failure| failure.error)?;
        let wanted = plan.create.len();
        let created = batch.create(plan.create).await;
        let made = *created.as_ref().unwrap_or_else(|failure| &failure.made);
        let missing = i32::try_from(wanted - made).unwrap_or(i32::MAX);
        status.active = status.active.map(|active| active - missing).filter(|left| *left > 0);
        if status != shown {
            let corrected = self.write(request, written.as_deref().unwrap_or(object), &status);
            let corrected = corrected.await.map(drop);
            // Why pods are missing says more than why that is not noted yet.
            created.map_err(|failure| failure.error).and(corrected)?;
        } else {
            created.map_err(|failure| failure.error)?;
        }
        released
    }

    async fn write(
        &self,
        request: &ObjectKey,
        object: &Object,
        status: &JobStatus,
    ) -> Result<Arc<Object>> {
        let (client, own) = (&*self.context.client, &self.statuses);
        status::write(client, own, request, key(request), object, status).await
    }

    /// Takes the finalizer from pods whose end is noted, or that wait in vain. One that can't be let go keeps no other from
    /// going; the first error is told.
    async fn release(&self, request: &ObjectKey, pods: &[Pod]) -> Result<()> {
        let releases: Vec<_> = pods.iter().map(|pod| self.release_one(request, pod)).collect();
        let mut releases = stream::iter(releases).buffer_unordered(AT_ONCE);
        let mut result = Ok(());
        while let Some(released) = releases.next().await {
            result = result.and(released);
        }
        result
    }

    async fn release_one(&self, request: &ObjectKey, pod: &Pod) -> Result<()> {
        let header = pod.object.header();
        let others = header.finalizers.iter().map(|f| &**f).filter(|f| *f != FINALIZER);
        let version = header.resource_version.to_string();
        let patch = json!({"metadata": {"uid": header.uid, "resourceVersion": version,
            "finalizers": others.collect::<Vec<_>>()}});
        let op = Op::Patch(Key::new(scheme::PODS, &*header.namespace, &*header.name), patch);
        let version = ops::apply(&*self.context.client, &self.recorder, vec![op]).await?;
        // Pods that nobody controls have no Job that has to wait.
        if !request.name.is_empty() {
            self.writes.wrote(request, version);
        }
        Ok(())
    }

    /// Lets the pods go that wait for a Job of this name and another uid, or that nobody controls: no one counts their end.
    async fn release_strays(&self, request: &ObjectKey) -> Result<()> {
        let mut strays = self.pods.by_index(TRACKED, &request.to_string());
        if request.name.is_empty() {
            return self.release(request, &strays).await;
        }
        let known = self.jobs.get(&request.namespace, &request.name);
        strays.retain(|pod| known.as_ref().is_none_or(|job| !is_controlled_by(pod, &job.object)));
        if strays.is_empty() {
            return Ok(());
        }
        // The cache may not have come as far as the pods' Job.
        match self.context.client.get(&key(request)).await {
            Ok(live) => strays.retain(|pod| !is_controlled_by(pod, &live)),
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
        self.release(request, &strays).await
    }

    async fn job(&self, request: &ObjectKey) -> Result<Action> {
        let Some(entry) = self.jobs.get(&request.namespace, &request.name) else {
            return Ok(Action::Done);
        };
        let job: Job = entry.object.view()?;
        if job
            .spec
            .as_ref()
            .and_then(|spec| spec.managed_by.as_deref())
            .is_some_and(|by| by != "kubernetes.io/job-controller")
        {
            return Ok(Action::Done);
        }
        let pods = self.claim(&job, &entry.view.spec.selector).await?;
        let failed =
            pods.iter().filter(|pod| pod.view.status.phase == "Failed" && has_finalizer(pod));
        let failed = failed.map(|pod| pod.object.view()).collect::<Result<_>>()?;
        let plan = plan(&Snapshot { job: &job, pods, failed, now: time::now(&self.context.env) });
        let again = plan.again;
        self.apply(request, &entry.object, &job, plan).await?;
        Ok(again.map_or(Action::Done, Action::RequeueAfter))
    }
}

#[async_trait]
impl Reconciler for Sync {
    type Request = ObjectKey;
    type Error = Error;

    async fn reconcile(&self, request: &ObjectKey) -> Result<Action> {
        if !self.writes.are_shown(request, &self.pods)
            || !self.statuses.are_shown(request, &self.jobs)
        {
            return Ok(Writes::wait());
        }
        // They are not the Job's: what keeps them keeps nothing else.
        let released = self.release_strays(request).await;
        let action = self.job(request).await?;
        released.map(|()| action)
    }
}

/// How many are active is known when they are made.
fn differ_in_more_than_active(one: &JobStatus, other: &JobStatus) -> bool {
    let without = |status: &JobStatus| JobStatus { active: None, ..status.clone() };
    without(one) != without(other)
}

fn is_controlled_by(pod: &Pod, job: &Object) -> bool {
    pod.object.header().controller().is_some_and(|owner| *owner.uid == *job.header().uid)
}

fn key(request: &ObjectKey) -> Key {
    Key::new(scheme::JOBS, &request.namespace, &request.name)
}
