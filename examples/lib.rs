//! Examples: one flat file each, run with `cargo run --package windlass-examples --example NAME`.

#[cfg(doctest)]
#[doc = include_str!("../docs/controllers.md")]
struct Guide;
