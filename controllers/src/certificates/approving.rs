//! Approves a kubelet's client certificate when the API server says that its sender may ask for one.

use super::request::{Asked, KUBELET_CLIENT};
use super::view::{APPROVED, CsrView, condition};
use crate::Context;
use crate::support::ops::{self, Op};
use crate::support::time;
use async_trait::async_trait;
use serde_json::{Value, json};
use std::sync::Arc;
use windlass_core::cache::Informer;
use windlass_core::client::{Key, WriteOptions};
use windlass_core::controller::{Action, ObjectKey, Reconciler};
use windlass_core::{Error, Result, scheme};

/// A right that lets a request be approved: a subresource that one may create.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Right {
    pub(super) subresource: &'static str,
    message: &'static str,
}

const SELF: Right = Right {
    subresource: "selfnodeclient",
    message: "Auto approving self kubelet client certificate after SubjectAccessReview.",
};
const NODE: Right = Right {
    subresource: "nodeclient",
    message: "Auto approving kubelet client certificate after SubjectAccessReview.",
};

pub(super) struct Sync {
    pub(super) context: Context,
    pub(super) requests: Arc<Informer<CsrView>>,
}

/// The rights of which one suffices; none when it is not for a machine to approve.
pub(super) fn rights(csr: &CsrView) -> Vec<Right> {
    if csr.is_settled() || csr.certificate().is_some() || csr.spec.signer_name != KUBELET_CLIENT {
        return Vec::new();
    }
    let Ok(asked) = Asked::parse(&csr.request()) else { return Vec::new() };
    if asked.check_kubelet_client(&csr.spec.usages).is_err() {
        return Vec::new();
    }
    match csr.spec.username == asked.common_name() {
        true => vec![SELF, NODE],
        false => vec![NODE],
    }
}

/// Asks whether the sender has a right.
fn review(csr: &CsrView, right: Right) -> Value {
    let spec = &csr.spec;
    let resource = json!({"group": "certificates.k8s.io", "version": "*", "verb": "create",
        "resource": "certificatesigningrequests", "subresource": right.subresource});
    json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": {
        "user": spec.username, "uid": spec.uid, "groups": spec.groups, "extra": spec.extra,
        "resourceAttributes": resource}})
}

// === impl Sync ===

impl Sync {
    async fn has(&self, csr: &CsrView, right: Right) -> Result<bool> {
        let key = Key::cluster(scheme::SUBJECTACCESSREVIEWS, "");
        let body = review(csr, right).to_string().into();
        let answer = self.context.client.create(&key, body, &WriteOptions::default()).await?;
        Ok(answer.view::<Value>()?["status"]["allowed"] == true)
    }
}

#[async_trait]
impl Reconciler for Sync {
    type Request = ObjectKey;
    type Error = Error;

    async fn reconcile(&self, request: &ObjectKey) -> Result<Action> {
        let Some(csr) = self.requests.get("", &request.name) else { return Ok(Action::Done) };
        for right in rights(&csr.view) {
            if !self.has(&csr.view, right).await? {
                continue;
            }
            let now = time::now(&self.context.env);
            let key = Key::cluster(scheme::CERTIFICATESIGNINGREQUESTS, request.name.as_str());
            let mut whole: Value = csr.object.view()?;
            let approved = condition(APPROVED, "AutoApproved", right.message, now);
            match whole["status"]["conditions"].as_array_mut() {
                Some(all) => all.push(approved),
                None => whole["status"]["conditions"] = json!([approved]),
            }
            let op = Op::Update(key.subresource("approval"), whole);
            ops::apply(&*self.context.client, &self.context.recorder, vec![op]).await?;
            break;
        }
        Ok(Action::Done)
    }
}
