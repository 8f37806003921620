//! What all objects have in common: Status, selectors, quantities, interned strings.

mod duration;
mod intern;
mod quantity;
mod selector;
mod status;

pub use duration::parse_duration;
pub use intern::{Interned, Str, intern};
pub use quantity::{Quantity, QuantityError};
pub use selector::{
    FieldRequirement, FieldSelector, LabelOperator, LabelRequirement, LabelSelector, SelectorError,
};
pub use status::{Reason, Status, StatusCause, StatusDetails};

/// Marks a page in a list of events that `sendInitialEvents` asked for (KEP-3157).
pub const INITIAL_EVENTS_END: &str = "k8s.io/initial-events-end";
