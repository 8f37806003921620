//! Reads caches, applies the plan.

use super::GVK;
use super::count::has_finalizer;
use super::plan::{Plan, Snapshot, plan};
use super::pods::FINALIZER;
use crate::Context;
use crate::support::batch;
use crate::support::claim;
use crate::support::ops::{self, Op};
use crate::support::owner::reference;
use crate::support::writes::Writes;
use crate::support::{status, time, wiring};
use crate::views::{Pod, Pods, Selector, Workloads};
use async_trait::async_trait;
use serde_json::json;
use windlass_core::apis::batch::v1::Job;
use windlass_core::client::Key;
use windlass_core::controller::{Action, ObjectKey, Reconciler};
use windlass_core::events::Recorder;
use windlass_core::{Error, Object, Result, scheme};

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
        if Some(&plan.status) != job.status.as_ref() {
            let own = &self.statuses;
            status::write(client, own, request, key(request), object, &plan.status).await?;
        }
        self.release(request, &plan.release).await?;
        let batch = batch::Pods {
            client,
            recorder,
            about: reference(&GVK, &job.metadata),
            writes,
            request,
        };
        batch.delete(&plan.delete).await.map_err(|failure| failure.error)?;
        batch.create(plan.create).await.map_err(|failure| failure.error)?;
        ops::apply(client, recorder, plan.events).await.map(drop)
    }

    /// Takes the finalizer from pods whose end is noted.
    async fn release(&self, request: &ObjectKey, pods: &[Pod]) -> Result<()> {
        for pod in pods {
            let header = pod.object.header();
            let left: Vec<_> = header
                .finalizers
                .iter()
                .filter(|finalizer| ***finalizer != *FINALIZER)
                .map(|f| &**f)
                .collect();
            let version = header.resource_version.to_string();
            let patch = json!({"metadata": {"uid": header.uid, "resourceVersion": version, "finalizers": left}});
            let op = Op::Patch(Key::new(scheme::PODS, &*header.namespace, &*header.name), patch);
            let version = ops::apply(&*self.context.client, &self.recorder, vec![op]).await?;
            self.writes.wrote(request, version);
        }
        Ok(())
    }

    /// Lets the pods of a Job go that is gone.
    async fn release_orphans(&self, request: &ObjectKey) -> Result<()> {
        let mut pods = self.pods.list(Some(&request.namespace));
        pods.retain(|pod| {
            let owner = pod.object.header().controller();
            has_finalizer(pod)
                && owner
                    .is_some_and(|owner| *owner.name == *request.name && wiring::is_of(owner, &GVK))
        });
        self.release(request, &pods).await
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
        let Some(entry) = self.jobs.get(&request.namespace, &request.name) else {
            self.release_orphans(request).await?;
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

fn key(request: &ObjectKey) -> Key {
    Key::new(scheme::JOBS, &request.namespace, &request.name)
}
