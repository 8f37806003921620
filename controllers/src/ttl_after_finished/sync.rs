//! Reads the cache, asks the server once more, deletes.

use super::plan::time_left;
use crate::Context;
use crate::support::ops::{self, Op};
use crate::support::owner::uid_of;
use crate::support::time;
use crate::views::Workloads;
use async_trait::async_trait;
use windlass_core::apis::batch::v1::Job;
use windlass_core::client::{ClientExt, DeleteOptions, Key, Propagation};
use windlass_core::controller::{Action, ObjectKey, Reconciler};
use windlass_core::{Error, Result, scheme};

pub(super) struct Sync {
    context: Context,
    jobs: Workloads,
}

impl Sync {
    pub(super) fn new(context: &Context, jobs: Workloads) -> Self {
        Self { context: context.clone(), jobs }
    }
}

#[async_trait]
impl Reconciler for Sync {
    type Request = ObjectKey;
    type Error = Error;

    async fn reconcile(&self, request: &ObjectKey) -> Result<Action> {
        let Some(entry) = self.jobs.get(&request.namespace, &request.name) else {
            return Ok(Action::Done);
        };
        let now = time::now(&self.context.env);
        match time_left(&entry.object.view()?, now) {
            None => return Ok(Action::Done),
            Some(left) if !left.is_zero() => return Ok(Action::RequeueAfter(left)),
            Some(_) => {}
        }
        // Its time may have been changed since.
        let key = Key::new(scheme::JOBS, &request.namespace, &request.name);
        let live: Job = match self.context.client.get_as(&key).await {
            Err(error) if error.is_not_found() => return Ok(Action::Done),
            other => other?,
        };
        if time_left(&live, now).is_some_and(|left| left.is_zero()) {
            let options = DeleteOptions {
                propagation_policy: Some(Propagation::Foreground),
                ..DeleteOptions::uid(uid_of(&live.metadata))
            };
            ops::apply(
                &*self.context.client,
                &self.context.recorder,
                vec![Op::Delete(key, options)],
            )
            .await?;
        }
        Ok(Action::Done)
    }
}
