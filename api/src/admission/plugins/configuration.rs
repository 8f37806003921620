//! What plugins are told (`apiserver.config.k8s.io/v1`, "AdmissionConfiguration").

use super::PluginError;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Configurations by the names of the plugins.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AdmissionConfiguration {
    pub(super) plugins: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    api_version: String,
    kind: String,
    #[serde(default)]
    plugins: Vec<Plugin>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Plugin {
    name: String,
    #[serde(default)]
    path: String,
    #[serde(default)]
    configuration: Option<Value>,
}

// === impl AdmissionConfiguration ===

impl AdmissionConfiguration {
    /// Reads it from YAML or JSON. A plugin whose configuration is in a file of its own has it from `read`, which is
    /// given the path as it stands there.
    ///
    /// # Errors
    /// What can't be read, and why.
    pub fn parse(
        text: &str,
        read: impl Fn(&str) -> std::io::Result<String>,
    ) -> Result<Self, PluginError> {
        let failed = |name: &str, why: String| {
            let name = if name.is_empty() { "AdmissionConfiguration" } else { name };
            PluginError::Configuration { name: name.to_owned(), why }
        };
        let file: File =
            yaml_serde::from_str(text).map_err(|error| failed("", error.to_string()))?;
        if file.kind != "AdmissionConfiguration"
            || !matches!(
                &*file.api_version,
                "apiserver.config.k8s.io/v1" | "apiserver.k8s.io/v1alpha1"
            )
        {
            let why = "it is no AdmissionConfiguration of apiserver.config.k8s.io/v1";
            return Err(failed("", why.into()));
        }
        let mut plugins = BTreeMap::new();
        for Plugin { name, path, configuration } in file.plugins {
            let configuration = match configuration {
                Some(given) => given,
                None if path.is_empty() => Value::Object(serde_json::Map::new()),
                None => {
                    let named = |why: String| failed(&name, format!("{path}: {why}"));
                    let text = read(&path).map_err(|error| named(error.to_string()))?;
                    yaml_serde::from_str(&text).map_err(|error| named(error.to_string()))?
                }
            };
            plugins.insert(name, configuration);
        }
        Ok(Self { plugins })
    }
}
