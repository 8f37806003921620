//! Nodes as objects.

use crate::Result;
use serde_json::{Value, json};
use windlass_core::client::{Client, ClientExt, Key, Patch, WriteOptions};
use windlass_core::scheme;

/// Makes a node with its status, in two writes: the first leaves the status out.
///
/// # Errors
/// Those of the client.
pub async fn add_node(client: &dyn Client, node: &Value) -> Result<()> {
    let key = Key::cluster(scheme::NODES, node["metadata"]["name"].as_str().unwrap_or_default());
    client.create_from(&key, node).await?;
    let status = Patch::merge(&json!({"status": node["status"]}));
    client.patch(&key.subresource("status"), status, &WriteOptions::default()).await?;
    Ok(())
}
