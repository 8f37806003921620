//! Signs what is approved.

use super::request::Asked;
use super::view::{APPROVED, CsrView, FAILED, condition};
use crate::Context;
use crate::support::ops::{self, Op};
use crate::support::time;
use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::sync::Arc;
use windlass_core::cache::Informer;
use windlass_core::client::Key;
use windlass_core::controller::{Action, ObjectKey, Reconciler};
use windlass_core::{Error, Result, scheme};

/// Clocks of other machines may be behind.
const BACKDATE: SignedDuration = SignedDuration::from_mins(5);
/// What holds for less is given all of its time; the backdating counts as part of a longer one.
const SHORT: SignedDuration = SignedDuration::from_hours(8);
/// Nobody gets less.
const SHORTEST: SignedDuration = SignedDuration::from_mins(10);

pub(super) struct Sync {
    pub(super) context: Context,
    pub(super) requests: Arc<Informer<CsrView>>,
}

/// What to do about a request.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// Not approved, not ours, or done.
    Nothing,
    /// Its signer does not take it: why.
    Fail(String),
    /// Sign it, valid in this time.
    Sign(Timestamp, Timestamp),
}

/// `longest`: how long certificates hold when nobody asks for less.
pub(super) fn plan(csr: &CsrView, longest: SignedDuration, now: Timestamp) -> Step {
    let approved = csr.condition(APPROVED).is_some() && csr.condition(FAILED).is_none();
    if !approved || csr.certificate().is_some() {
        return Step::Nothing;
    }
    let checked = match Asked::parse(&csr.request()) {
        Ok(asked) => asked.check(&csr.spec.signer_name, &csr.spec.usages),
        Err(why) => Some(Err(why)),
    };
    match checked {
        None => Step::Nothing,
        Some(Err(why)) => Step::Fail(why),
        Some(Ok(())) => {
            let asked = csr.spec.expiration_seconds.map(SignedDuration::from_secs);
            let holds = asked.unwrap_or(longest).min(longest).max(SHORTEST);
            let until = if holds < SHORT { holds } else { holds - BACKDATE };
            Step::Sign(now - BACKDATE, now + until)
        }
    }
}

// === impl Sync ===

impl Sync {
    /// The status after a step, if it changes anything.
    fn status(&self, csr: &CsrView, mut status: Value, now: Timestamp) -> Option<Value> {
        let settings = &self.context.settings;
        let signer = settings.certificates.as_ref()?;
        let longest = SignedDuration::try_from(settings.certificate_duration).ok()?;
        let failed = match plan(csr, longest, now) {
            Step::Nothing => return None,
            Step::Fail(why) => Some(("SignerValidationFailure", why)),
            Step::Sign(from, until) => {
                match signer.sign(&csr.request(), &csr.spec.usages, (from, until)) {
                    Ok(pem) => {
                        status["certificate"] = STANDARD.encode(pem).into();
                        None
                    }
                    Err(error) => Some(("SigningFailure", error.to_string())),
                }
            }
        };
        if let Some((reason, why)) = failed {
            let condition = condition(FAILED, reason, &why, now);
            match status["conditions"].as_array_mut() {
                Some(all) => all.push(condition),
                None => status["conditions"] = json!([condition]),
            }
        }
        Some(status)
    }
}

#[async_trait]
impl Reconciler for Sync {
    type Request = ObjectKey;
    type Error = Error;

    async fn reconcile(&self, request: &ObjectKey) -> Result<Action> {
        let Some(csr) = self.requests.get("", &request.name) else { return Ok(Action::Done) };
        let now = time::now(&self.context.env);
        let mut whole: Value = csr.object.view()?;
        if let Some(status) = self.status(&csr.view, whole["status"].take(), now) {
            whole["status"] = status;
            let key = Key::cluster(scheme::CERTIFICATESIGNINGREQUESTS, request.name.as_str());
            let op = Op::Update(key.subresource("status"), whole);
            ops::apply(&*self.context.client, &self.context.recorder, vec![op]).await?;
        }
        Ok(Action::Done)
    }
}
