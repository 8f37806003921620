//! The real `etcdctl` (3.4) with the real `windlass-store`.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod scene;
mod session;
mod tls;
