//! Deletes what nobody needs any more.

use super::view::{APPROVED, CsrView, DENIED, FAILED};
use crate::Context;
use crate::support::ops::{self, Op};
use crate::support::time;
use async_trait::async_trait;
use jiff::Timestamp;
use std::sync::Arc;
use windlass_core::cache::Informer;
use windlass_core::client::{DeleteOptions, Key};
use windlass_core::controller::{Action, ObjectKey, Reconciler};
use windlass_core::{Error, Result, scheme};
use x509_parser::prelude::{FromDer, X509Certificate};

/// How long a settled request stays, in seconds; and one that nobody looked at.
const SETTLED: i64 = 3600;
const PENDING: i64 = 24 * 3600;

pub(super) struct Sync {
    pub(super) context: Context,
    pub(super) requests: Arc<Informer<CsrView>>,
}

/// When a request is to go, in seconds since 1970.
pub(super) fn ends(csr: &CsrView, created: Timestamp) -> i64 {
    let since = |kind: &str| {
        csr.condition(kind).map(|it| it.last_update_time.unwrap_or(created).as_second() + SETTLED)
    };
    let certificate = csr.certificate();
    let issued = certificate.is_some().then(|| since(APPROVED)).flatten();
    let expired = certificate.as_deref().and_then(not_after);
    let settled = [since(DENIED), since(FAILED), issued, expired].into_iter().flatten().min();
    // What is approved and has no certificate waits as one that nobody looked at.
    settled.unwrap_or(created.as_second() + PENDING)
}

fn not_after(pem: &str) -> Option<i64> {
    let (_, pem) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).ok()?;
    let (_, certificate) = X509Certificate::from_der(&pem.contents).ok()?;
    Some(certificate.validity().not_after.timestamp())
}

#[async_trait]
impl Reconciler for Sync {
    type Request = ObjectKey;
    type Error = Error;

    async fn reconcile(&self, request: &ObjectKey) -> Result<Action> {
        let Some(csr) = self.requests.get("", &request.name) else { return Ok(Action::Done) };
        let header = csr.object.header();
        let now = time::now(&self.context.env);
        let left = time::until(
            now,
            ends(&csr.view, csr.view.created().unwrap_or(now)) - now.as_second(),
            now,
        );
        if !left.is_zero() {
            return Ok(Action::RequeueAfter(left));
        }
        let key = Key::cluster(scheme::CERTIFICATESIGNINGREQUESTS, request.name.as_str());
        let op = Op::Delete(key, DeleteOptions::uid(&*header.uid));
        ops::apply(&*self.context.client, &self.context.recorder, vec![op]).await?;
        Ok(Action::Done)
    }
}
