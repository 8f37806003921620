//! The etcd API over the stores, as clients see it. The same cases run against a real etcd, where there is one: it must
//! agree with every word.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod admin;
mod contract;
mod kubernetes;
mod leases;
mod limits;
mod ranges;
mod scene;
mod tls;
mod txns;
mod watches;
mod wire;
mod writes;
