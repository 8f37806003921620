//! Reads caches, applies the plan.

use super::Kind;
use super::plan::{self, Outcome};
use super::set::Set;
use crate::Context;
use crate::support::batch::{self, Failure};
use crate::support::claim;
use crate::support::ops;
use crate::support::owner::reference;
use crate::support::writes::Writes;
use crate::support::{pods as templates, status, time};
use crate::views::{Pod, Pods, Workloads};
use async_trait::async_trait;
use windlass_core::client::Key;
use windlass_core::controller::{Action, ObjectKey, Reconciler};
use windlass_core::events::Recorder;
use windlass_core::{Error, Object, Result};

pub(super) struct Sync {
    kind: &'static Kind,
    context: Context,
    recorder: Recorder,
    sets: Workloads,
    pods: Pods,
    writes: Writes,
}

impl Sync {
    pub(super) fn new(context: &Context, kind: &'static Kind, sets: Workloads, pods: Pods) -> Self {
        let recorder = context.recorder.named(kind.source);
        Self { kind, context: context.clone(), recorder, sets, pods, writes: Writes::default() }
    }

    fn key(&self, request: &ObjectKey) -> Key {
        Key::new(self.kind.resource.clone(), &request.namespace, &request.name)
    }

    async fn claim(&self, set: &Set) -> Result<Vec<Pod>> {
        let owning = claim::Owning {
            context: &self.context,
            pods: &self.pods,
            writes: &self.writes,
            resource: self.kind.resource.clone(),
            gvk: &self.kind.gvk,
            meta: &set.metadata,
            selector: &set.spec.selector,
            finalizer: None,
        };
        owning.claim(|pod| pod.view.is_active()).await
    }

    async fn scale(&self, request: &ObjectKey, set: &Set, pods: &[Pod]) -> Result<(), Failure> {
        let plan = plan::scale(set, pods);
        let about = reference(&self.kind.gvk, &set.metadata);
        let (client, recorder, writes) = (&*self.context.client, &self.recorder, &self.writes);
        let batch = batch::Pods { client, recorder, about, writes, request };
        let template = templates::from_template(&self.kind.gvk, &set.metadata, &set.spec.template);
        batch.apply(vec![template; plan.create], &plan.delete).await
    }

    async fn write_status(
        &self,
        request: &ObjectKey,
        object: &Object,
        set: &Set,
        pods: &[Pod],
        failure: Option<&Failure>,
    ) -> Result<()> {
        let now = time::now(&self.context.env);
        let message = failure.map(|failure| failure.error.to_string()).unwrap_or_default();
        let outcome = match failure {
            None => Outcome::Fine,
            Some(failure) => Outcome::Failed(failure.creating, &message),
        };
        let new = plan::status(set, pods, &outcome, now);
        if new != set.status {
            let op = status::replace(self.key(request), object, &new)?;
            ops::apply(&*self.context.client, &self.recorder, vec![op]).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Reconciler for Sync {
    type Request = ObjectKey;
    type Error = Error;

    async fn reconcile(&self, request: &ObjectKey) -> Result<Action> {
        if !self.writes.are_shown(request, &self.pods) {
            return Ok(Writes::wait());
        }
        let Some(entry) = self.sets.get(&request.namespace, &request.name) else {
            return Ok(Action::Done);
        };
        let set: Set = entry.object.view()?;
        let pods = self.claim(&set).await?;
        let failure = self.scale(request, &set, &pods).await.err();
        self.write_status(request, &entry.object, &set, &pods, failure.as_ref()).await?;
        if let Some(failure) = failure {
            return Err(failure.error);
        }
        let next = plan::next_available(&set, &pods, time::now(&self.context.env));
        Ok(next.map_or(Action::Done, Action::RequeueAfter))
    }
}
