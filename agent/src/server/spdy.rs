//! SPDY/3.1, as far as Kubernetes' clients speak it (SPDY protocol draft 3.1): streams both ways over one
//! connection. They keep no flow-control windows, so neither does this.

mod channels;
mod connection;
mod dictionary;
mod frame;
mod headers;

pub(super) use channels::channels;
pub(super) use connection::{Stream, Writer, serve};

#[cfg(test)]
mod tests;
