//! What objects use, read from them once when they change.

mod claim;
mod device;
mod pod;
mod service;

pub use claim::ClaimUsage;
pub use device::DeviceUsage;
pub use pod::PodUsage;
pub use service::ServiceUsage;

use super::amount::Amount;
use crate::apis;
use std::collections::BTreeMap;

/// Amounts by the names that quotas have for them.
pub type Uses = Vec<(String, Amount)>;

/// Amounts as an object lists them.
type List = BTreeMap<String, apis::Quantity>;

/// Amounts by resource.
type Amounts = BTreeMap<String, Amount>;

/// What a list says. The server takes no quantity that is none.
fn amounts(list: &List) -> impl Iterator<Item = (&String, Amount)> {
    list.iter().filter_map(|(name, quantity)| Some((name, quantity.0.parse().ok()?)))
}
