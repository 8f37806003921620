//! Examples: one flat file each, run with `cargo run --package windlass-examples --example NAME`.
