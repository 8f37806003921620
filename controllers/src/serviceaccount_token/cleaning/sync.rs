//! Reads caches, asks the server since when uses are noted, applies the plan.

use super::super::SecretView;
use super::plan::{INVALID_SINCE, Snapshot, Step, plan};
use crate::Context;
use crate::support::ops::{self, Op};
use crate::support::time;
use crate::views::{Headers, Pods};
use async_trait::async_trait;
use jiff::civil::Date;
use serde_json::{Value, json};
use std::sync::Arc;
use windlass_core::apis::core::v1::ServiceAccount;
use windlass_core::cache::{Entry, Informer};
use windlass_core::client::{DeleteOptions, Key, Preconditions};
use windlass_core::controller::{Action, ObjectKey, Reconciler};
use windlass_core::{Error, Result, scheme};

const TRACKING: &str = "kube-apiserver-legacy-service-account-token-tracking";

pub(super) struct Sync {
    context: Context,
    secrets: Arc<Informer<SecretView>>,
    accounts: Headers,
    pods: Pods,
}

impl Sync {
    pub(super) fn new(
        context: &Context,
        secrets: Arc<Informer<SecretView>>,
        accounts: Headers,
        pods: Pods,
    ) -> Self {
        Self { context: context.clone(), secrets, accounts, pods }
    }

    async fn noted_since(&self) -> Result<Option<Date>> {
        let key = Key::new(scheme::CONFIGMAPS, "kube-system", TRACKING);
        match self.context.client.get(&key).await {
            Ok(map) => {
                Ok(map.view::<Value>()?["data"]["since"].as_str().and_then(|day| day.parse().ok()))
            }
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether the Secret was made for its account, which lists it then, and no pod names it.
    fn is_left_over(&self, secret: &Entry<SecretView>) -> Result<bool> {
        let (namespace, name) = (secret.object.namespace(), secret.object.name());
        let account = secret.view.account().and_then(|name| self.accounts.get(namespace, name));
        let Some(account) = account else { return Ok(false) };
        let account: ServiceAccount = account.object.view()?;
        let listed = account.secrets.iter().flatten().any(|one| one.name.as_deref() == Some(name));
        Ok(listed
            && !self.pods.list(Some(namespace)).iter().any(|pod| names(pod.object.stored(), name)))
    }
}

/// Whether an object has this text anywhere as a whole value: Secrets are named in many places of a pod, and one too many
/// does no harm here.
fn names(json: &[u8], text: &str) -> bool {
    let value = format!("\"{text}\"");
    json.windows(value.len()).any(|part| part == value.as_bytes())
}

#[async_trait]
impl Reconciler for Sync {
    type Request = ObjectKey;
    type Error = Error;

    async fn reconcile(&self, request: &ObjectKey) -> Result<Action> {
        let Some(secret) = self.secrets.get(&request.namespace, &request.name) else {
            return Ok(Action::Done);
        };
        let now = time::now(&self.context.env);
        let Some(created) = secret.view.created() else { return Ok(Action::Done) };
        let period = self.context.settings.legacy_token_clean_up_period;
        let header = secret.object.header();
        let old = now.duration_since(created).unsigned_abs() >= period;
        let noted_since = if old { self.noted_since().await? } else { None };
        let step = plan(&Snapshot { secret: header, created, noted_since, period, now });
        let key = Key::new(scheme::SECRETS, &request.namespace, &request.name);
        let version = header.resource_version.to_string();
        let op = match step {
            Step::Keep => return Ok(Action::Done),
            Step::KeepFor(wait) => return Ok(Action::RequeueAfter(wait)),
            _ if !self.is_left_over(&secret)? => return Ok(Action::RequeueAfter(Step::AGAIN)),
            Step::Mark(day) => {
                let meta = json!({"uid": header.uid, "resourceVersion": version, "labels": {INVALID_SINCE: day}});
                Op::Patch(key, json!({"metadata": meta}))
            }
            Step::Delete => {
                // A use that is noted meanwhile makes another version.
                let preconditions = Preconditions {
                    uid: Some(header.uid.to_string()),
                    resource_version: Some(version),
                };
                Op::Delete(
                    key,
                    DeleteOptions {
                        preconditions: Some(preconditions),
                        ..DeleteOptions::default()
                    },
                )
            }
        };
        ops::apply(&*self.context.client, &self.context.recorder, vec![op]).await?;
        Ok(Action::Done)
    }
}
