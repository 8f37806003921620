//! Reads caches, applies the plan.

use super::plan::{Plan, Snapshot, hash_of, plan};
use super::{GVK, model};
use crate::Context;
use crate::support::claim::{self, Claimant, Tie};
use crate::support::ops::{self, Op};
use crate::support::owner::{controller_ref, uid_of};
use crate::support::{status, time};
use crate::views::{self, Selector, Workloads};
use async_trait::async_trait;
use windlass_core::apis::apps::v1::{Deployment, ReplicaSet};
use windlass_core::client::{ClientExt, Key, WriteOptions};
use windlass_core::controller::{Action, ObjectKey, Reconciler};
use windlass_core::events::Recorder;
use windlass_core::{Error, Object, Result, scheme};

pub(super) struct Sync {
    context: Context,
    recorder: Recorder,
    deployments: Workloads,
    sets: Workloads,
}

impl Sync {
    pub(super) fn new(context: &Context, deployments: Workloads, sets: Workloads) -> Self {
        let recorder = context.recorder.named("deployment-controller");
        Self { context: context.clone(), recorder, deployments, sets }
    }

    async fn claim(
        &self,
        request: &ObjectKey,
        d: &Deployment,
        selector: &Selector,
    ) -> Result<Vec<ReplicaSet>> {
        let uid = uid_of(&d.metadata);
        let deleting = d.metadata.deletion_timestamp.is_some();
        let candidates = views::claimable(&self.sets, &request.namespace, uid);
        let claimed = claim::claim(&Claimant { uid, deleting, selector }, candidates, |_| true);
        let reference = controller_ref(&GVK, &request.name, uid);
        let tie = Tie { reference, finalizer: None };
        claim::settle(&*self.context.client, &key(request), &tie, &scheme::REPLICASETS, &claimed)
            .await?;
        // What was adopted just now comes back as a change.
        claimed.owned.iter().map(|set| set.object.view()).collect()
    }

    async fn apply(
        &self,
        request: &ObjectKey,
        d: &Deployment,
        object: &Object,
        plan: Plan,
    ) -> Result<()> {
        for op in plan.ops {
            match op {
                Op::Create(key, body) => {
                    self.create_set(request, d, object, &key, body.to_string()).await?
                }
                op => drop(ops::apply(&*self.context.client, &self.recorder, vec![op]).await?),
            }
        }
        Ok(())
    }

    /// Makes the new set. When its name is taken by a set of another template, or of another owner, the hash has
    /// collided: the count of collisions goes up and with it the name changes.
    async fn create_set(
        &self,
        request: &ObjectKey,
        d: &Deployment,
        object: &Object,
        at: &Key,
        body: String,
    ) -> Result<()> {
        let client = &*self.context.client;
        match client.create(at, body.into(), &WriteOptions::default()).await {
            Err(error) if error.is_already_exists() => {}
            other => return other.map(drop),
        }
        let taken: ReplicaSet = client.get_as(at).await?;
        let owners = taken.metadata.owner_references.iter().flatten();
        let mine = owners.into_iter().any(|owner| owner.uid == uid_of(&d.metadata));
        if mine && model::is_of_template(&taken, &model::spec(d).template) {
            return Ok(());
        }
        let mut new = d.status.clone().unwrap_or_default();
        new.collision_count = Some(new.collision_count.unwrap_or(0) + 1);
        tracing::warn!(deployment = %request, hash = hash_of(d), "hash collision");
        let op = status::replace(key(request), object, &new)?;
        ops::apply(client, &self.recorder, vec![op]).await.map(drop)
    }
}

#[async_trait]
impl Reconciler for Sync {
    type Request = ObjectKey;
    type Error = Error;

    async fn reconcile(&self, request: &ObjectKey) -> Result<Action> {
        let Some(entry) = self.deployments.get(&request.namespace, &request.name) else {
            return Ok(Action::Done);
        };
        let deployment: Deployment = entry.object.view()?;
        let sets = self.claim(request, &deployment, &entry.view.spec.selector).await?;
        let now = time::now(&self.context.env);
        let mut plan = plan(Snapshot { deployment: deployment.clone(), sets, now });
        let again = plan.again;
        if Some(&plan.status) != deployment.status.as_ref() {
            // Before the patch that shows the revision, which would make the version of the status an old one.
            let patch = plan.ops.iter().position(|op| matches!(op, Op::Patch(..)));
            let at = patch.unwrap_or(plan.ops.len());
            plan.ops.insert(at, status::replace(key(request), &entry.object, &plan.status)?);
        }
        self.apply(request, &deployment, &entry.object, plan).await?;
        Ok(again.map_or(Action::Done, Action::RequeueAfter))
    }
}

fn key(request: &ObjectKey) -> Key {
    Key::new(scheme::DEPLOYMENTS, &request.namespace, &request.name)
}
