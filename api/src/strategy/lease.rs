//! Leases.

use super::json::{int_of, is_nil, map_of, str_of};
use super::{Map, Strategy};
use crate::validation::{Errors, Path};

/// The rules of Leases.
pub(super) struct Lease;

const SPEC: Path<'static> = Path::new("spec");

impl Strategy for Lease {
    fn validate(&self, object: &Map) -> Errors {
        let mut errors = Errors::default();
        let Some(spec) = map_of(object, "spec") else { return errors };
        if let Some(seconds) = int_of(spec, "leaseDurationSeconds").filter(|seconds| *seconds <= 0)
        {
            errors.invalid(SPEC.child("leaseDurationSeconds"), seconds, "must be greater than 0");
        }
        if let Some(count) = int_of(spec, "leaseTransitions").filter(|count| *count < 0) {
            let detail = "must be greater than or equal to 0";
            errors.invalid(SPEC.child("leaseTransitions"), count, detail);
        }
        if !is_nil(spec, "preferredHolder") && str_of(spec, "strategy").is_empty() {
            let detail = "can only be specified when strategy is set";
            errors.forbidden(SPEC.child("preferredHolder"), detail);
        }
        errors
    }
}
