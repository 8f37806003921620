//! Windlass put together: the all-in-one composition, the reference binaries, the command line.
//!
//! [`standalone`] is the composition that `windlass up`, the tests, the examples and the benches all
//! start. Who embeds it switches the feature `cli` off, and with it the command line and its
//! dependencies.

#[cfg(feature = "cli")]
pub mod component;
mod devices;
pub mod standalone;
#[cfg(feature = "cli")]
pub mod verbs;

mod tokens;

#[cfg(feature = "cli")]
mod program;
#[cfg(feature = "cli")]
pub use program::run;
