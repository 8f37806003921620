//! Where samples come from.

use crate::nodes::NodeClient;
use crate::registry::Loopback;
use async_trait::async_trait;
use std::time::Duration;

/// The path under which agents tell what their pods use.
const PATH: &str = "/metrics/resource";
/// Longer answers are not read: some 100,000 containers.
const LIMIT: usize = 64 << 20;
/// How long the head of an answer may take.
const ANSWER: Duration = Duration::from_secs(5);

/// Asks agents.
#[async_trait]
pub trait Source: Send + Sync {
    /// What the agent of a node says under `/metrics/resource`, in Prometheus' text format. It is given up after a
    /// few seconds.
    ///
    /// # Errors
    /// Why nothing was said, for the log.
    async fn read(&self, objects: &Loopback, node: &str) -> Result<String, String>;
}

#[async_trait]
impl Source for NodeClient {
    async fn read(&self, objects: &Loopback, node: &str) -> Result<String, String> {
        let body = self.read_agent(objects, node, PATH, (ANSWER, LIMIT)).await;
        let body = body.map_err(|status| status.message)?;
        String::from_utf8(body.to_vec()).map_err(|error| error.to_string())
    }
}
