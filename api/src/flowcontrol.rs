//! Priority and fairness: who is served when not all can be (KEP-1040; API concepts, "API Priority and Fairness").
//!
//! A request is put by the FlowSchemas into a flow of a priority level. Each level has seats of its own, lends what
//! it does not need and borrows what others lend. What finds no seat waits in one of the level's queues; flows share
//! a level fairly, whatever each of them sends.
//!
//! `level`, `shares`, `schema` and `width` decide, with the time given to them; [`FlowControl`] follows the
//! objects, and lets requests wait.

mod builtin;
mod config;
mod control;
mod counts;
mod level;
mod permit;
mod schema;
mod shares;
mod shuffle;
mod watches;
mod width;

#[cfg(test)]
mod tests;

pub use builtin::{Builtin, builtin};
pub use control::{FlowControl, FlowOptions};
pub use permit::Permit;

pub(crate) use config::LevelStats;
pub(crate) use control::{Refused, SchemaRef};
pub(crate) use counts::SchemaStats;
pub(crate) use watches::Watching;
pub(crate) use width::{Listing, Work};
