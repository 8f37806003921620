//! Reads caches, applies the plan.

use super::MANAGER;
use super::plan::{is_mirrored, plan};
use crate::Context;
use crate::endpointslice::BY_SERVICE;
use crate::support::endpoints::Services;
use crate::support::ops;
use crate::support::slices::MANAGED_BY;
use crate::support::writes::Writes;
use crate::views::Headers;
use async_trait::async_trait;
use windlass_core::apis::core::v1::Endpoints;
use windlass_core::controller::{Action, ObjectKey, Reconciler};
use windlass_core::{Error, Result};

pub(super) struct Sync {
    context: Context,
    services: Services,
    endpoints: Headers,
    slices: Headers,
    writes: Writes,
}

impl Sync {
    pub(super) fn new(
        context: &Context,
        services: Services,
        endpoints: Headers,
        slices: Headers,
    ) -> Self {
        Self { context: context.clone(), services, endpoints, slices, writes: Writes::default() }
    }

    /// The Endpoints, if they are to be mirrored.
    fn shown(&self, request: &ObjectKey) -> Result<Option<Endpoints>> {
        let service = self.services.get(&request.namespace, &request.name);
        let by_hand = service.is_some_and(|service| service.view.spec.selector.is_none());
        let endpoints = self.endpoints.get(&request.namespace, &request.name).filter(|_| by_hand);
        let endpoints: Option<Endpoints> =
            endpoints.map(|entry| entry.object.view()).transpose()?;
        Ok(endpoints.filter(|endpoints| is_mirrored(&endpoints.metadata)))
    }
}

#[async_trait]
impl Reconciler for Sync {
    type Request = ObjectKey;
    type Error = Error;

    async fn reconcile(&self, request: &ObjectKey) -> Result<Action> {
        if !self.writes.are_shown(request, &self.slices) {
            return Ok(Writes::wait());
        }
        let mine = self.slices.by_index(BY_SERVICE, &request.to_string()).into_iter();
        let mine = mine.filter(|slice| slice.object.header().label(MANAGED_BY) == Some(MANAGER));
        let slices = mine.map(|slice| slice.object.view()).collect::<Result<_>>()?;
        let ops = plan(self.shown(request)?.as_ref(), slices);
        let version = ops::apply(&*self.context.client, &self.context.recorder, ops).await?;
        self.writes.wrote(request, version);
        Ok(Action::Done)
    }
}
