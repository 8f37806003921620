//! Reads caches, applies the plan.

use super::GVK;
use super::identity::spec;
use super::plan::{Plan, Snapshot, plan};
use crate::Context;
use crate::support::claim;
use crate::support::ops;
use crate::support::owner::uid_of;
use crate::support::revisions::{self, HASH_LABEL};
use crate::support::writes::Writes;
use crate::support::{status, time};
use crate::views::{BY_CONTROLLER, Headers, Pod, Pods, Selector, Workloads};
use async_trait::async_trait;
use windlass_core::apis::apps::v1::{ControllerRevision, StatefulSet};
use windlass_core::client::Key;
use windlass_core::controller::{Action, ObjectKey, Reconciler};
use windlass_core::events::Recorder;
use windlass_core::{Error, Result, scheme};

pub(super) struct Sync {
    context: Context,
    recorder: Recorder,
    sets: Workloads,
    pods: Pods,
    revisions: Headers,
    claims: Headers,
    writes: Writes,
}

impl Sync {
    pub(super) fn new(
        context: &Context,
        sets: Workloads,
        pods: Pods,
        revisions: Headers,
        claims: Headers,
    ) -> Self {
        let recorder = context.recorder.named("statefulset-controller");
        Self {
            context: context.clone(),
            recorder,
            sets,
            pods,
            revisions,
            claims,
            writes: Writes::default(),
        }
    }

    async fn claim(&self, set: &StatefulSet, selector: &Selector) -> Result<Vec<Pod>> {
        let owning = claim::Owning {
            context: &self.context,
            pods: &self.pods,
            writes: &self.writes,
            resource: scheme::STATEFULSETS,
            gvk: &GVK,
            meta: &set.metadata,
            selector,
            finalizer: None,
        };
        owning.claim(|pod| super::identity::ordinal(set, pod.object.name()).is_some()).await
    }

    fn plan(&self, request: &ObjectKey, set: &StatefulSet, pods: Vec<Pod>) -> Result<Plan> {
        let history = self.revisions.by_index(BY_CONTROLLER, uid_of(&set.metadata));
        let history: Vec<ControllerRevision> =
            history.iter().map(|entry| entry.object.view()).collect::<Result<_>>()?;
        let before = set.status.clone().unwrap_or_default();
        let now = revisions::current(
            &GVK,
            &set.metadata,
            &spec(set).template,
            before.collision_count,
            &history,
            |name| self.revisions.get(&request.namespace, name).is_some(),
        );
        let named =
            |revision: &&ControllerRevision| revision.metadata.name == before.current_revision;
        let known = history.iter().find(named);
        let current = known
            .and_then(|known| Some((known.metadata.name.clone()?, revisions::template_of(known)?)));
        let current = current.unwrap_or_else(|| (now.name.clone(), spec(set).template.clone()));
        let in_use = |revision: &ControllerRevision| {
            let name = revision.metadata.name.as_deref();
            let of_pod = |pod: &Pod| pod.object.header().label(HASH_LABEL) == name;
            name == Some(&*now.name) || name == Some(&*current.0) || pods.iter().any(of_pod)
        };
        let old =
            revisions::clean_up(&history, in_use, spec(set).revision_history_limit.unwrap_or(10));
        let find_claim = |name: &str| self.claims.get(&request.namespace, name);
        let snapshot = Snapshot {
            set,
            pods,
            update: now.name,
            current,
            collisions: now.collisions,
            find_claim: &find_claim,
            now: time::now(&self.context.env),
        };
        let mut plan = plan(&snapshot);
        plan.ops = now.ops.into_iter().chain(plan.ops).chain(old).collect();
        Ok(plan)
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
        let set: StatefulSet = entry.object.view()?;
        let pods = self.claim(&set, &entry.view.spec.selector).await?;
        let mut plan = self.plan(request, &set, pods)?;
        if Some(&plan.status) != set.status.as_ref() {
            plan.ops.push(status::replace(key(request), &entry.object, &plan.status)?);
        }
        ops::apply(&*self.context.client, &self.recorder, plan.ops).await?;
        Ok(plan.again.map_or(Action::Done, Action::RequeueAfter))
    }
}

fn key(request: &ObjectKey) -> Key {
    Key::new(scheme::STATEFULSETS, &request.namespace, &request.name)
}
