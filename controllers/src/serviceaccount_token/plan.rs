//! What a token Secret lacks.

use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use windlass_core::apis::meta::v1::Time;
use windlass_core::object::Header;

pub(super) const TYPE: &str = "kubernetes.io/service-account-token";
const NAME: &str = "kubernetes.io/service-account.name";
const UID: &str = "kubernetes.io/service-account.uid";

/// What is read of a Secret: which account, and which keys of the data are filled. No content is kept.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SecretView {
    metadata: Metadata,
    data: BTreeMap<String, Filled>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Metadata {
    creation_timestamp: Option<Time>,
    annotations: BTreeMap<String, String>,
}

/// Whether a value has content.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(from = "Option<std::borrow::Cow<'_, str>>")]
struct Filled(bool);

/// What to do about a token Secret.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// All is there, or it names no account.
    Nothing,
    /// Sign these claims and fill it.
    Fill(Value),
    /// Its account is gone, or another has its name.
    Delete,
}

impl From<Option<std::borrow::Cow<'_, str>>> for Filled {
    fn from(value: Option<std::borrow::Cow<'_, str>>) -> Self {
        Self(value.is_some_and(|value| !value.is_empty()))
    }
}

impl SecretView {
    pub(super) fn account(&self) -> Option<&str> {
        self.metadata.annotations.get(NAME).map(String::as_str)
    }

    pub(super) fn created(&self) -> Option<jiff::Timestamp> {
        self.metadata.creation_timestamp.as_ref().map(|time| time.0)
    }

    fn is_filled(&self) -> bool {
        ["token", "ca.crt", "namespace"]
            .iter()
            .all(|key| self.data.get(*key).is_some_and(|value| value.0))
            && self.metadata.annotations.contains_key(UID)
    }
}

pub(super) fn plan(secret: &Header, view: &SecretView, account: Option<&Header>) -> Step {
    let Some(name) = view.account() else { return Step::Nothing };
    let uid = view.metadata.annotations.get(UID);
    match account {
        _ if secret.deleting => Step::Nothing,
        None => Step::Delete,
        Some(account) if uid.is_some_and(|uid| **uid != *account.uid) => Step::Delete,
        Some(_) if view.is_filled() => Step::Nothing,
        Some(account) => Step::Fill(claims(secret, name, account)),
    }
}

/// The claims of a token that is good as long as its Secret is there.
fn claims(secret: &Header, account: &str, header: &Header) -> Value {
    let namespace = &*secret.namespace;
    json!({
        "iss": "kubernetes/serviceaccount",
        "sub": format!("system:serviceaccount:{namespace}:{account}"),
        "kubernetes.io/serviceaccount/namespace": namespace,
        "kubernetes.io/serviceaccount/secret.name": secret.name,
        "kubernetes.io/serviceaccount/service-account.name": account,
        "kubernetes.io/serviceaccount/service-account.uid": header.uid,
    })
}

/// The change that fills a Secret.
pub(super) fn fill(secret: &Header, account_uid: &str, token: &str, ca_pem: &str) -> Value {
    use base64::Engine;
    let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    json!({
        "metadata": {"uid": secret.uid, "annotations": {UID: account_uid}},
        "data": {"token": encode(token), "ca.crt": encode(ca_pem), "namespace": encode(&secret.namespace)},
    })
}
