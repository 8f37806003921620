//! Reads caches, applies the plan.

use super::plan::{Found, plan};
use crate::Context;
use crate::support::ops;
use crate::views::{Headers, Pods};
use async_trait::async_trait;
use windlass_core::controller::{Action, ObjectKey, Reconciler};
use windlass_core::events::Recorder;
use windlass_core::{Error, Result};

pub(super) struct Sync {
    context: Context,
    recorder: Recorder,
    pods: Pods,
    claims: Headers,
}

impl Sync {
    pub(super) fn new(context: &Context, pods: Pods, claims: Headers) -> Self {
        let recorder = context.recorder.named("ephemeral_volume");
        Self { context: context.clone(), recorder, pods, claims }
    }
}

#[async_trait]
impl Reconciler for Sync {
    type Request = ObjectKey;
    type Error = Error;

    async fn reconcile(&self, request: &ObjectKey) -> Result<Action> {
        let Some(pod) = self.pods.get(&request.namespace, &request.name) else {
            return Ok(Action::Done);
        };
        if !pod.view.is_active() {
            return Ok(Action::Done);
        }
        let find = |name: &str| match self.claims.get(&request.namespace, name) {
            None => Found::None,
            Some(claim) => {
                let owner = claim.object.header().controller();
                Found::OwnedBy(owner.map(|owner| owner.uid.to_string()).unwrap_or_default())
            }
        };
        let ops = plan(&pod.object.view()?, find);
        ops::apply(&*self.context.client, &self.recorder, ops).await?;
        Ok(Action::Done)
    }
}
