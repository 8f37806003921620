//! Reads caches, applies the plan.

use super::plan::{NAME, plan};
use crate::Context;
use crate::support::ops;
use crate::views::Headers;
use async_trait::async_trait;
use windlass_core::controller::{Action, ObjectKey, Reconciler};
use windlass_core::{Error, Result};

pub(super) struct Sync {
    context: Context,
    namespaces: Headers,
    accounts: Headers,
}

impl Sync {
    pub(super) fn new(context: &Context, namespaces: Headers, accounts: Headers) -> Self {
        Self { context: context.clone(), namespaces, accounts }
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
        let has_account = self.accounts.get(&request.name, NAME).is_some();
        let op = plan(namespace.object.header(), has_account).into_iter().collect();
        ops::apply(&*self.context.client, &self.context.recorder, op).await?;
        Ok(Action::Done)
    }
}
