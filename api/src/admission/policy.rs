//! Admission policies: rules in the API itself, as expressions (API reference, `admissionregistration.k8s.io/v1`).

mod apply;
mod definition;
mod evaluate;
mod matched;
mod mutating;
mod params;
mod status;
mod validating;

pub use mutating::MutatingPolicies;
pub use validating::ValidatingPolicies;

pub(crate) use status::start as start_type_checking;

use super::AdmissionRequest;
use super::view::View;
use crate::strategy::json::str_at;
use windlass_core::meta::{Status, StatusCause};

/// A refusal of a request, with what it says as its only cause.
fn forbidden(view: &View, request: &AdmissionRequest<'_>, message: &str) -> Status {
    let gvr = &view.entry.info.gvr;
    let generated = || {
        let object = request.object.as_ref()?;
        Some(str_at(object, &["metadata", "generateName"])).filter(|name| !name.is_empty())
    };
    let name = Some(view.name.as_str()).filter(|name| !name.is_empty());
    let name = name.or_else(generated).unwrap_or("Unknown");
    let mut status = Status::forbidden(&gvr.group, &gvr.resource, name, message);
    let cause = StatusCause { message: message.to_owned(), ..StatusCause::default() };
    status.details.get_or_insert_default().causes.push(cause);
    status
}
