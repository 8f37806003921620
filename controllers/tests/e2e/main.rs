//! Every controller against a whole API server in this process, in virtual time.

mod cluster;
mod collection;
mod jobs;
mod nodes;
mod services;
mod workloads;
