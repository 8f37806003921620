//! Reads caches, applies the plan.

use super::caches::Caches;
use super::plan::{plan, same, sources};
use crate::Context;
use crate::support::{ops, status, time, writes};
use crate::views::Headers;
use async_trait::async_trait;
use std::sync::Arc;
use windlass_core::apis::core::v1::ResourceQuota;
use windlass_core::client::Key;
use windlass_core::controller::{Action, ObjectKey, Reconciler};
use windlass_core::{Error, Result, scheme};

pub(super) struct Sync {
    context: Context,
    quotas: Headers,
    caches: Arc<Caches>,
}

impl Sync {
    pub(super) fn new(context: &Context, quotas: Headers, caches: Arc<Caches>) -> Self {
        Self { context: context.clone(), quotas, caches }
    }
}

#[async_trait]
impl Reconciler for Sync {
    type Request = ObjectKey;
    type Error = Error;

    async fn reconcile(&self, request: &ObjectKey) -> Result<Action> {
        let Some(entry) = self.quotas.get(&request.namespace, &request.name) else {
            return Ok(Action::Done);
        };
        let quota: ResourceQuota = entry.object.view()?;
        let now = time::now(&self.context.env);
        let (snapshot, known) = self.caches.snapshot(&request.namespace, sources(&quota)).await;
        let (mut new, mut again) = plan(&quota, &snapshot, now);
        let differs = |new: &_| !quota.status.as_ref().is_some_and(|status| same(status, new));
        let version = entry.object.resource_version();
        if differs(&new) && known < version {
            // The server charges a quota in the commit that makes an object: a cache that is behind the quota may
            // lack that very object.
            let (namespace, unknown) = (&request.namespace, snapshot.unknown.clone());
            let fresh = self.caches.fresh(namespace, sources(&quota), unknown, version).await?;
            (new, again) = plan(&quota, &fresh, now);
        }
        if differs(&new) {
            let key = Key::new(scheme::RESOURCEQUOTAS, &request.namespace, &request.name);
            let op = status::replace(key, &entry.object, &new)?;
            ops::apply(&*self.context.client, &self.context.recorder, vec![op]).await?;
        }
        let retry = (!snapshot.unknown.is_empty()).then_some(writes::PATIENCE);
        let again = [again, retry].into_iter().flatten().min();
        Ok(again.map_or(Action::Done, Action::RequeueAfter))
    }
}
