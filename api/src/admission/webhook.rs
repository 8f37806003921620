//! Webhooks: servers of others that change objects or refuse them (API reference, `admissionregistration.k8s.io/v1`).

mod answer;
mod call;
mod hook;
mod mutating;
mod review;
mod validating;

#[cfg(test)]
mod tests;

pub use mutating::MutatingWebhooks;
pub use validating::ValidatingWebhooks;

use super::AdmissionRequest;
use super::expression::Input;
use super::view::View;
use crate::authorization::Authorizer;
use crate::registry::Entry;
use hook::Hook;
use std::sync::Arc;
use windlass_core::meta::Status;

/// Why a call did not lead to a yes.
enum Failure {
    /// The webhook could not be asked, or gave no answer that can be read: its failure policy decides.
    Calling(String),
    /// It said no, or can't be asked for a reason of its own.
    Refused(Box<Status>),
}

/// The resource as which a webhook takes a request, if it does.
///
/// # Errors
/// When that can't be found out.
async fn takes(
    hook: &Hook,
    view: &View,
    request: &AdmissionRequest<'_>,
    authorizer: &dyn Authorizer,
) -> Result<Option<Arc<Entry>>, Status> {
    let Some(entry) = hook.matcher.takes(view, request).await? else { return Ok(None) };
    if hook.conditions.is_empty() {
        return Ok(Some(entry));
    }
    let input = Input::of(view, &entry, request).await?;
    let conditions = |input: &Input<'_>| hook.conditions.hold(input, None);
    match input.settle(authorizer, request, conditions).await {
        Ok(true) => Ok(Some(entry)),
        Ok(false) => Ok(None),
        Err(why) => {
            let gvr = &view.entry.info.gvr;
            Err(Status::forbidden(&gvr.group, &gvr.resource, &view.name, &why))
        }
    }
}

/// What a request is told of a webhook that can't be asked.
fn cannot_call(hook: &Hook, why: &str) -> Status {
    Status::internal(format!("failed calling webhook {:?}: {why}", hook.name))
}
