//! Reads caches, signs, writes.

use super::plan::{SecretView, Step, fill, plan};
use crate::Context;
use crate::support::ops::{self, Op};
use crate::views::Headers;
use async_trait::async_trait;
use std::sync::Arc;
use windlass_core::cache::Informer;
use windlass_core::client::{DeleteOptions, Key};
use windlass_core::controller::{Action, ObjectKey, Reconciler};
use windlass_core::{Object, scheme};

/// Why a Secret could not be filled. Retried with back-off.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The server said no.
    #[error(transparent)]
    Client(#[from] windlass_core::Error),
    /// The key can't sign.
    #[error("token not signed: {0}")]
    Signing(windlass_core::component::BoxError),
}

pub(super) struct Sync {
    context: Context,
    secrets: Arc<Informer<SecretView>>,
    accounts: Headers,
}

impl Sync {
    pub(super) fn new(
        context: &Context,
        secrets: Arc<Informer<SecretView>>,
        accounts: Headers,
    ) -> Self {
        Self { context: context.clone(), secrets, accounts }
    }

    /// The account: from the cache, and from the server when the cache has none, before a Secret is deleted for it.
    async fn account(&self, namespace: &str, name: &str) -> Result<Option<Arc<Object>>, Error> {
        if let Some(account) = self.accounts.get(namespace, name) {
            return Ok(Some(account.object.clone()));
        }
        match self.context.client.get(&Key::new(scheme::SERVICEACCOUNTS, namespace, name)).await {
            Err(error) if error.is_not_found() => Ok(None),
            other => Ok(Some(other?)),
        }
    }
}

#[async_trait]
impl Reconciler for Sync {
    type Request = ObjectKey;
    type Error = Error;

    async fn reconcile(&self, request: &ObjectKey) -> Result<Action, Error> {
        let Some(signer) = &self.context.settings.tokens else { return Ok(Action::Done) };
        let Some(secret) = self.secrets.get(&request.namespace, &request.name) else {
            return Ok(Action::Done);
        };
        let Some(name) = secret.view.account() else { return Ok(Action::Done) };
        let account = self.account(&request.namespace, name).await?;
        let account = account.as_deref().map(Object::header);
        let (header, key) =
            (secret.object.header(), Key::new(scheme::SECRETS, &request.namespace, &request.name));
        let op = match plan(header, &secret.view, account) {
            Step::Nothing => return Ok(Action::Done),
            Step::Delete => Op::Delete(key, DeleteOptions::uid(&*header.uid)),
            Step::Fill(claims) => {
                let token = signer.sign(&claims).map_err(Error::Signing)?;
                let uid = account.map(|account| &*account.uid).unwrap_or_default();
                Op::Patch(key, fill(header, uid, &token, &self.context.settings.ca_pem))
            }
        };
        ops::apply(&*self.context.client, &self.context.recorder, vec![op]).await?;
        Ok(Action::Done)
    }
}
