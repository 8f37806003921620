//! The Common Expression Language, as Kubernetes has it.

pub(crate) mod duration;
