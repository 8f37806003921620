//! Every controller against a whole API server in this process, in virtual time.

mod access;
mod cluster;
mod collection;
mod jobs;
mod nodes;
mod services;
mod volumes;
mod workloads;
