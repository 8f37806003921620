//! Signs `kube-public/cluster-info` with each token that may.

use super::Secrets;
use super::signature::detached;
use super::token::{NAMESPACE, Token};
use crate::Context;
use crate::support::ops::{self, Op};
use crate::support::time;
use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use windlass_core::client::Key;
use windlass_core::controller::{Action, ObjectKey, Reconciler};
use windlass_core::{Error, Result, scheme};

pub(super) const CLUSTER_INFO: &str = "cluster-info";
const PUBLIC: &str = "kube-public";
const PREFIX: &str = "jws-kubeconfig-";

pub(super) struct Sync {
    pub(super) context: Context,
    pub(super) secrets: Secrets,
    pub(super) maps: Secrets,
}

#[derive(Deserialize)]
struct MapView {
    #[serde(default)]
    data: BTreeMap<String, String>,
}

/// What is to change of the ConfigMap's data: new signatures, and `null` for those to go. None when it is right.
pub(super) fn plan(data: &BTreeMap<String, String>, tokens: &[&Token]) -> Option<Value> {
    let kubeconfig = data.get("kubeconfig")?;
    let wanted: BTreeMap<String, String> = tokens
        .iter()
        .map(|token| {
            let signature = detached(kubeconfig, &token.id, &token.secret);
            (format!("{PREFIX}{}", token.id), signature)
        })
        .collect();
    let gone = data.keys().filter(|key| key.starts_with(PREFIX) && !wanted.contains_key(*key));
    let mut change: BTreeMap<&str, Value> = gone.map(|key| (key.as_str(), Value::Null)).collect();
    for (key, signature) in &wanted {
        if data.get(key) != Some(signature) {
            change.insert(key, signature.as_str().into());
        }
    }
    (!change.is_empty()).then(|| json!({"data": change}))
}

#[async_trait]
impl Reconciler for Sync {
    type Request = ObjectKey;
    type Error = Error;

    async fn reconcile(&self, _: &ObjectKey) -> Result<Action> {
        let now = time::now(&self.context.env);
        let secrets = self.secrets.list(Some(NAMESPACE));
        let tokens: Vec<Token> =
            secrets.iter().map(|secret| Token::of(&secret.object)).collect::<Result<_>>()?;
        let signing: Vec<&Token> = tokens.iter().filter(|token| token.signs(now)).collect();
        if let Some(map) = self.maps.get(PUBLIC, CLUSTER_INFO) {
            let data = map.object.view::<MapView>()?.data;
            if let Some(patch) = plan(&data, &signing) {
                let op = Op::Patch(Key::new(scheme::CONFIGMAPS, PUBLIC, CLUSTER_INFO), patch);
                ops::apply(&*self.context.client, &self.context.recorder, vec![op]).await?;
            }
        }
        let next = signing.iter().filter_map(|token| token.ends()).min();
        Ok(next.map_or(Action::Done, |at| {
            Action::RequeueAfter(time::until(now, at.as_second() - now.as_second(), now))
        }))
    }
}
