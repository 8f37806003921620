//! CNI configurations.

use super::failed;
use crate::runtime::{Error, PortMapping, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::io;
use std::path::{Path, PathBuf};

/// A list of plugins that make a network together.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NetworkList {
    #[serde(default = "oldest")]
    pub(super) cni_version: String,
    pub(super) name: String,
    pub(super) plugins: Vec<Value>,
}

fn oldest() -> String {
    "0.1.0".into()
}

// === impl NetworkList ===

impl NetworkList {
    /// What a plugin reads.
    pub(super) fn stdin(&self, plugin: &Value, previous: &Value, ports: &[PortMapping]) -> Value {
        let mut config = plugin.clone();
        config["cniVersion"] = json!(self.cni_version);
        config["name"] = json!(self.name);
        if !previous.is_null() {
            config["prevResult"] = previous.clone();
        }
        if plugin["capabilities"]["portMappings"] == json!(true) && !ports.is_empty() {
            let all: Vec<Value> = ports.iter().map(port).collect();
            config["runtimeConfig"] = json!({ "portMappings": all });
        }
        if let Some(fields) = config.as_object_mut() {
            fields.remove("capabilities");
        }
        config
    }
}

fn port(mapping: &PortMapping) -> Value {
    let mut port = json!({
        "hostPort": mapping.host_port,
        "containerPort": mapping.container_port,
        "protocol": mapping.protocol.to_ascii_lowercase(),
    });
    if let Some(ip) = mapping.host_ip {
        port["hostIP"] = json!(ip);
    }
    port
}

/// The first configuration of a folder, by name; `None` when there is none.
pub(super) fn load(folder: &Path) -> Result<Option<NetworkList>> {
    let mut files: Vec<PathBuf> = match std::fs::read_dir(folder) {
        Ok(entries) => entries
            .map(|e| e.map(|e| e.path()))
            .collect::<io::Result<_>>()
            .map_err(|e| failed(folder, e))?,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(failed(folder, e)),
    };
    files.retain(|f| f.extension().is_some_and(|e| e == "conflist" || e == "conf" || e == "json"));
    files.sort();
    files.first().map(|f| read(f)).transpose()
}

fn read(path: &Path) -> Result<NetworkList> {
    let bad = |e: &dyn std::fmt::Display| {
        Error::Invalid(format!("CNI configuration {}: {e}", path.display()))
    };
    let bytes = std::fs::read(path).map_err(|e| failed(path, e))?;
    let value: Value = serde_json::from_slice(&bytes).map_err(|e| bad(&e))?;
    let list = if value.get("plugins").is_some() {
        value
    } else {
        // One plugin alone is a list of one.
        json!({ "cniVersion": value["cniVersion"], "name": value["name"], "plugins": [value] })
    };
    let list: NetworkList = serde_json::from_value(list).map_err(|e| bad(&e))?;
    let typed = list.plugins.iter().all(|p| p["type"].is_string());
    if list.plugins.is_empty() || !typed {
        return Err(bad(&"it names no plugins"));
    }
    Ok(list)
}
