//! One call.

use super::answer::{self, Answer};
use super::hook::Hook;
use super::{Failure, review};
use crate::admission::AdmissionRequest;
use crate::admission::view::View;
use crate::metrics::admission::{Call, Refusal};
use crate::registry::Entry;
use tokio::time::Instant;
use windlass_core::meta::Status;

/// Asks a webhook about a request, as a resource that it takes. An answer is a yes.
pub(super) async fn call(
    hook: &Hook,
    mutating: bool,
    view: &View,
    entry: &Entry,
    request: &AdmissionRequest<'_>,
) -> Result<Answer, (Failure, Answer)> {
    let begun = Instant::now();
    let asked = match ask(hook, mutating, view, entry, request).await {
        Ok(asked) if asked.allowed => Ok(asked),
        Ok(asked) => {
            let status = answer::refusal(&hook.name, asked.status.clone());
            Err((Failure::Refused(Box::new(status)), asked))
        }
        Err(failure) => Err((failure, Answer::default())),
    };
    let call = Call { webhook: &hook.name, mutating, operation: request.operation };
    let refusal = match &asked {
        Ok(_) => None,
        Err((Failure::Refused(status), _)) => Some(Refusal::Webhook(status.code)),
        Err((Failure::Calling(_), _)) if hook.fail => Some(Refusal::Calling),
        Err((Failure::Calling(_), _)) => {
            request.metrics.passed_by(call);
            None
        }
    };
    request.metrics.called(call, begun.elapsed(), refusal);
    asked
}

async fn ask(
    hook: &Hook,
    mutating: bool,
    view: &View,
    entry: &Entry,
    request: &AdmissionRequest<'_>,
) -> Result<Answer, Failure> {
    let refused = |status: Status| Failure::Refused(Box::new(status));
    if request.is_dry_run() && !hook.dry_run {
        let text = format!("admission webhook {:?} does not support dry run", hook.name);
        return Err(refused(Status::bad_request(text)));
    }
    let version = match &hook.version {
        Ok(version) => *version,
        Err(why) => return Err(Failure::Calling(why.clone())),
    };
    let object = match &request.object {
        Some(object) => Some(view.object(entry, object).await.map_err(refused)?),
        None => None,
    };
    let old = match request.old {
        Some(old) => Some(view.object(entry, old).await.map_err(refused)?),
        None => None,
    };
    let uid = request.env.uuid();
    let shown = view.shown(request, entry);
    let body = review::request(version, &uid, shown, object.as_deref(), old.as_deref());
    let body = body.map_err(refused)?;
    let read = hook.client.call(body, hook.timeout).await;
    let read = read.map_err(|error| Failure::Calling(answer::failed(&error)))?;
    answer::read(version, &uid, mutating, &read).map_err(Failure::Calling)
}

/// Notes what an answer says beside yes and no.
pub(super) fn note(hook: &Hook, answer: &mut Answer, request: &mut AdmissionRequest<'_>) {
    for (key, value) in std::mem::take(&mut answer.annotations) {
        request.annotate(format!("{}/{key}", hook.name), value);
    }
    request.warnings.append(&mut answer.warnings);
}
