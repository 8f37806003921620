//! Which kinds a server serves.

use crate::error::Result;
use crate::scheme::{GroupVersion, ResourceInfo};
use async_trait::async_trait;
use std::sync::Arc;

/// Which kinds a server serves.
#[async_trait]
pub trait Discovery: Send + Sync {
    /// The resources of a group version, also of one that another server serves behind the one that is asked.
    ///
    /// # Errors
    /// `NotFound` when there are none.
    async fn resources(&self, version: &GroupVersion) -> Result<Vec<Arc<ResourceInfo>>>;
}
