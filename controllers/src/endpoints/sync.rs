//! Reads caches, applies the plan.

use super::plan::{plan, without_service};
use crate::Context;
use crate::support::endpoints::{Services, selected};
use crate::support::ops;
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
}

impl Sync {
    pub(super) fn new(
        context: &Context,
        services: Services,
        pods: Pods,
        endpoints: Headers,
    ) -> Self {
        Self { context: context.clone(), services, pods, endpoints }
    }
}

#[async_trait]
impl Reconciler for Sync {
    type Request = ObjectKey;
    type Error = Error;

    async fn reconcile(&self, request: &ObjectKey) -> Result<Action> {
        let existing = self.endpoints.get(&request.namespace, &request.name);
        let existing: Option<Endpoints> = existing.map(|entry| entry.object.view()).transpose()?;
        let op = match self.services.get(&request.namespace, &request.name) {
            None => existing.and_then(|endpoints| without_service(&endpoints.metadata)),
            Some(service)
                if service.view.spec.selector.is_none() || service.object.header().deleting =>
            {
                None
            }
            Some(service) if service.view.spec.kind == "ExternalName" => None,
            Some(service) => {
                let spec = &service.view.spec;
                let pods = selected(&self.pods, &request.namespace, spec);
                plan(service.object.header(), spec, &pods, existing)
            }
        };
        let ops = op.into_iter().collect();
        ops::apply(&*self.context.client, &self.context.recorder, ops).await?;
        Ok(Action::Done)
    }
}
