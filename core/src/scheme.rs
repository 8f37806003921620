//! The kinds a Kubernetes API server has built in, as one table of data.
//!
//! A resource is named by group, version and plural ([`GroupVersionResource`]), its objects by group,
//! version and kind ([`GroupVersionKind`]). [`Scheme::builtin`] holds everything else one needs to serve
//! or to find it: verbs, short names, categories, subresources, and the version it is stored in.
//! Source: `data/resources.tsv`, the generally available versions of the Kubernetes API reference.

mod info;
mod listed;
mod names;
mod table;
mod well_known;

#[cfg(test)]
mod tests;

pub use info::{ResourceInfo, SubresourceInfo};
pub use listed::read_resources;
pub use names::{
    GroupResource, GroupVersion, GroupVersionKind, GroupVersionResource, ParseGroupVersionError,
};
pub use table::Scheme;
pub use well_known::*;
