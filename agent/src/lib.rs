//! The node agent (kubelet) as a library.

pub mod images;
pub mod network;
pub mod runtime;
