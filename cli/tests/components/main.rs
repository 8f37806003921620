//! Components as processes that know their API server by a kubeconfig alone.

mod leader_election;
mod scene;
mod scheduler;
