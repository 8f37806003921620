//! Reads the cache, applies the plan.

use super::plan::plan;
use crate::Context;
use crate::support::ops::{self, Op};
use crate::support::owner::name_of;
use crate::views::Headers;
use async_trait::async_trait;
use serde_json::json;
use windlass_core::apis::rbac::v1::{ClusterRole, PolicyRule};
use windlass_core::client::Key;
use windlass_core::controller::{Action, ObjectKey, Reconciler};
use windlass_core::{Error, Result, scheme};

pub(super) struct Sync {
    context: Context,
    roles: Headers,
}

impl Sync {
    pub(super) fn new(context: &Context, roles: Headers) -> Self {
        Self { context: context.clone(), roles }
    }
}

#[async_trait]
impl Reconciler for Sync {
    type Request = ObjectKey;
    type Error = Error;

    async fn reconcile(&self, _all: &ObjectKey) -> Result<Action> {
        let roles: Vec<ClusterRole> =
            self.roles.list(None).iter().map(|role| role.object.view()).collect::<Result<_>>()?;
        let changes = roles.iter().filter_map(|sum| Some((sum, plan(sum, &roles)?)));
        let write = |(sum, rules): (&ClusterRole, Vec<PolicyRule>)| {
            let key = Key::cluster(scheme::CLUSTERROLES, name_of(&sum.metadata));
            Op::Patch(
                key,
                json!({"metadata": {"resourceVersion": sum.metadata.resource_version}, "rules": rules}),
            )
        };
        let ops = changes.map(write).collect();
        ops::apply(&*self.context.client, &self.context.recorder, ops).await?;
        Ok(Action::Done)
    }
}
