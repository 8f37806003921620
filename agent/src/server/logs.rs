//! Container logs: lines of the CRI format, chosen and followed as `kubectl logs` asks.

mod follow;
mod line;
mod options;
mod tail;

pub(crate) use follow::stream;
pub(crate) use line::Line;
pub(crate) use options::LogOptions;
