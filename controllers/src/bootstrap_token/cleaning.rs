//! Deletes tokens whose time is over.

use super::Secrets;
use super::token::{NAMESPACE, Token};
use crate::Context;
use crate::support::ops::{self, Op};
use crate::support::time;
use async_trait::async_trait;
use windlass_core::client::{DeleteOptions, Key};
use windlass_core::controller::{Action, ObjectKey, Reconciler};
use windlass_core::{Error, Result, scheme};

pub(super) struct Sync {
    pub(super) context: Context,
    pub(super) secrets: Secrets,
}

#[async_trait]
impl Reconciler for Sync {
    type Request = ObjectKey;
    type Error = Error;

    async fn reconcile(&self, request: &ObjectKey) -> Result<Action> {
        let found = self.secrets.get(&request.namespace, &request.name);
        let Some(secret) = found.filter(|_| request.namespace == NAMESPACE) else {
            return Ok(Action::Done);
        };
        let (token, now) = (Token::of(&secret.object)?, time::now(&self.context.env));
        if !token.is_over(now) {
            return Ok(token.ends().map_or(Action::Done, |at| {
                Action::RequeueAfter(time::until(now, at.as_second() - now.as_second(), now))
            }));
        }
        let key = Key::new(scheme::SECRETS, NAMESPACE, request.name.as_str());
        let op = Op::Delete(key, DeleteOptions::uid(&*secret.object.header().uid));
        ops::apply(&*self.context.client, &self.context.recorder, vec![op]).await?;
        Ok(Action::Done)
    }
}
