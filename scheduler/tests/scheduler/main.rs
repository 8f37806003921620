//! The scheduler against an API server in the same process, in virtual time.

mod binding;
mod chaos;
#[path = "../../../controllers/tests/chaos/client.rs"]
mod client;
mod cluster;
mod placing;
mod tricky;
#[allow(dead_code, reason = "shared with the controllers' tests, which need more of it")]
#[path = "../../../controllers/tests/chaos/trouble.rs"]
mod trouble;
