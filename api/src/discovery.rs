//! What a client may ask before it knows anything: which groups, versions and resources are served.
//!
//! Pure functions from a list of resources to the documents of `/api`, `/apis` and what lies below
//! them, in the classic form (one document for each group version) and the aggregated one (KEP-3352).
//! Groups come in Kubernetes' order, those of custom resources after them by name; versions by
//! priority, so that the first is the preferred one.

mod aggregated;
mod classic;
mod groups;

#[cfg(test)]
mod tests;

use sha2::{Digest, Sha256};

pub use aggregated::{Aggregated, aggregated};
pub use classic::{api_group, api_group_list, api_resource_list, api_versions};
pub use groups::compare_versions;

/// Which of the two roots a document is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Root {
    /// `/api`: the core group.
    Core,
    /// `/apis`: all named groups.
    Groups,
}

/// The entity tag of a document: it changes when the document does. With quotes.
#[must_use]
pub fn etag(document: &[u8]) -> String {
    format!("\"{:X}\"", Sha256::digest(document))
}
