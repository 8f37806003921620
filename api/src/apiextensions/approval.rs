//! Groups of Kubernetes itself are for what its reviewers saw (KEP-1111).

use super::conditions::{self, API_APPROVED, Condition};
use crate::strategy::Map;
use crate::strategy::json::{str_at, value_at};
use jiff::Timestamp;

/// Where it says that it was seen.
pub(super) const ANNOTATION: &str = "api-approved.kubernetes.io";
/// What is said of a definition that does not say so.
pub(super) const REQUIRED: &str = "protected groups must have approval annotation \"api-approved.kubernetes.io\", see https://github.com/kubernetes/enhancements/pull/1111";

/// What a definition in a protected group says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Approval<'a> {
    /// It was approved there.
    Approved(&'a str),
    /// It was not, and says so.
    Unapproved(&'a str),
    /// It says nothing.
    Missing,
    /// It says something that means nothing.
    Invalid(&'a str),
}

// === impl Approval ===

impl<'a> Approval<'a> {
    /// `None` for a definition whose group is nobody's concern.
    pub(super) fn of(definition: &'a Map) -> Option<Self> {
        let group = str_at(definition, &["spec", "group"]);
        let is_of = |domain: &str| {
            group.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        if !is_of("k8s.io") && !is_of("kubernetes.io") {
            return None;
        }
        let given = value_at(definition, &["metadata", "annotations", ANNOTATION]);
        Some(match given.and_then(|value| value.as_str()) {
            None | Some("") => Self::Missing,
            Some(text) if text.starts_with("unapproved") => Self::Unapproved(text),
            Some(text) => match text.parse::<http::Uri>() {
                Ok(url) if url.scheme().is_some() && url.host().is_some() => Self::Approved(text),
                _ => Self::Invalid(text),
            },
        })
    }

    /// Says it in a condition.
    pub(super) fn note(self, definition: &mut Map, now: Timestamp) {
        let (holds, reason, message) = match self {
            Self::Approved(url) => (true, "ApprovedAnnotation", format!("approved in {url}")),
            Self::Unapproved(why) => {
                (false, "UnapprovedAnnotation", format!("not approved: {why:?}"))
            }
            Self::Missing => (false, "MissingAnnotation", REQUIRED.to_owned()),
            Self::Invalid(_) => (false, "InvalidAnnotation", REQUIRED.to_owned()),
        };
        let condition = Condition { ty: API_APPROVED, holds, reason, message: &message };
        conditions::set(definition, &condition, now);
    }
}
