//! What objects use, read from them once when they change.

mod claim;
mod pod;
mod service;

pub(super) use claim::ClaimUsage;
pub(super) use pod::PodUsage;
pub(super) use service::ServiceUsage;

use super::amount::Amount;
use std::collections::BTreeMap;
use windlass_core::apis;

/// Amounts by the names that quotas have for them.
pub(super) type Uses = Vec<(String, Amount)>;

/// Amounts as an object lists them.
type List = BTreeMap<String, apis::Quantity>;

/// Amounts by resource.
type Amounts = BTreeMap<String, Amount>;

/// What a list says. The server takes no quantity that is none.
fn amounts(list: &List) -> impl Iterator<Item = (&String, Amount)> {
    list.iter().filter_map(|(name, quantity)| Some((name, quantity.0.parse().ok()?)))
}
