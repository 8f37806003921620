//! The contract of a [`Backend`], as tests that every backend runs.
//!
//! A backend of your own runs it with the feature `testing`:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! use windlass_store::{Memory, testing};
//!
//! // Called once for each case: a fresh, empty store that ends leases by itself.
//! testing::contract(async || {
//!     let store = Memory::new();
//!     tokio::spawn(store.expiry());
//!     store
//! })
//! .await;
//! # }
//! ```
//!
//! Each case is a function of its own, so that one that fails can be run alone. [`model`] holds
//! a model that is simple enough to be right, and runs the same steps on it and on a store: feed
//! it random steps. A case panics where the store breaks the contract. Waiting ends after ten
//! seconds.

pub mod commits;
pub mod compaction;
mod helpers;
pub mod leases;
pub mod model;
pub mod reads;
pub mod unchanged;
pub mod watches;

use crate::Backend;
#[cfg(feature = "testing")]
pub use crate::embedded::files::{Action, FileOp, FileSystem, Machine};

/// Runs all cases, each on a fresh, empty store from `make` whose leases end by themselves.
///
/// # Panics
/// When the store breaks the contract.
pub async fn contract<B: Backend>(make: impl AsyncFn() -> B) {
    reads::contract(&make).await;
    commits::contract(&make).await;
    watches::contract(&make).await;
    compaction::contract(&make).await;
    unchanged::contract(&make).await;
    leases::contract(&make).await;
}
