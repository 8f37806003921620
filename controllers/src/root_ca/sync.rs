//! Reads caches, applies the plan.

use super::plan::{MapView, NAME, plan};
use crate::Context;
use crate::support::ops;
use crate::views::Headers;
use async_trait::async_trait;
use std::sync::Arc;
use windlass_core::cache::Informer;
use windlass_core::controller::{Action, ObjectKey, Reconciler};
use windlass_core::{Error, Result};

pub(super) struct Sync {
    context: Context,
    namespaces: Headers,
    maps: Arc<Informer<MapView>>,
}

impl Sync {
    pub(super) fn new(
        context: &Context,
        namespaces: Headers,
        maps: Arc<Informer<MapView>>,
    ) -> Self {
        Self { context: context.clone(), namespaces, maps }
    }
}

#[async_trait]
impl Reconciler for Sync {
    type Request = ObjectKey;
    type Error = Error;

    async fn reconcile(&self, request: &ObjectKey) -> Result<Action> {
        let Some(namespace) = self.namespaces.get("", &request.name) else {
            return Ok(Action::Done);
        };
        let map = self.maps.get(&request.name, NAME);
        let pem = &self.context.settings.ca_pem;
        let op = plan(namespace.object.header(), map.as_ref().map(|map| &map.view), pem);
        ops::apply(&*self.context.client, &self.context.recorder, op.into_iter().collect()).await?;
        Ok(Action::Done)
    }
}
