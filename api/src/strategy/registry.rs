//! The list of kinds that have rules of their own.

use super::{Generic, Strategy};
use windlass_core::scheme::GroupVersionResource;

static GENERIC: Generic =
    Generic { namespaced: true, status: false, generation: false, name: crate::validation::NameRule::Subdomain };

/// The strategy of a built-in resource; the generic one for those that are not known.
#[must_use]
pub fn strategy_for(gvr: &GroupVersionResource) -> &'static dyn Strategy {
    let _ = gvr;
    &GENERIC
}
