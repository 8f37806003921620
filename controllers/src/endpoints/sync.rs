//! Reads caches, applies the plan.

use super::plan::{plan, without_service};
use crate::Context;
use crate::support::endpoints::{Services, selected};
use crate::support::ops;
use crate::support::trigger::{self, Triggers};
use crate::views::{Headers, Pods};
use async_trait::async_trait;
use windlass_core::apis::core::v1::Endpoints;
use windlass_core::controller::{Action, ObjectKey, Reconciler};
use windlass_core::{Error, Result};

pub(super) struct Sync {
    context: Context,
    services: Services,
    pods: Pods,
    endpoints: Headers,
    triggers: Triggers,
}

impl Sync {
    pub(super) fn new(
        context: &Context,
        services: Services,
        pods: Pods,
        endpoints: Headers,
    ) -> Self {
        Self { context: context.clone(), services, pods, endpoints, triggers: Triggers::default() }
    }
}

#[async_trait]
impl Reconciler for Sync {
    type Request = ObjectKey;
    type Error = Error;

    async fn reconcile(&self, request: &ObjectKey) -> Result<Action> {
        let existing = self.endpoints.get(&request.namespace, &request.name);
        let existing: Option<Endpoints> = existing.map(|entry| entry.object.view()).transpose()?;
        let mut trigger = None;
        let op = match self.services.get(&request.namespace, &request.name) {
            None => {
                self.triggers.forget(request);
                existing.and_then(|endpoints| without_service(&endpoints.metadata))
            }
            Some(service)
                if service.view.spec.selector.is_none() || service.object.header().deleting =>
            {
                None
            }
            Some(service) if service.view.spec.kind == "ExternalName" => None,
            Some(service) => {
                let spec = &service.view.spec;
                let pods = selected(&self.pods, &request.namespace, spec);
                let made = service.view.metadata.creation_timestamp.as_ref().map(|time| time.0);
                trigger = self.triggers.since_last(request, made, &pods);
                plan(service.object.header(), spec, &pods, existing)
            }
        };
        let mut ops: Vec<_> = op.into_iter().collect();
        trigger::mark(&mut ops, trigger);
        ops::apply(&*self.context.client, &self.context.recorder, ops).await?;
        Ok(Action::Done)
    }
}
