//! `KubeSchedulerConfiguration` (`kubescheduler.config.k8s.io/v1`), read as Kubernetes' scheduler reads it.
//!
//! ```
//! use serde_json::json;
//! use windlass_scheduler::config::{Configuration, Registry};
//!
//! let file = json!({"apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration",
//!     "profiles": [{"schedulerName": "by-name", "plugins": {"score": {"disabled": [{"name": "*"}]}}}]});
//! let configuration = Configuration::new(file)?;
//! let profiles = configuration.profiles(&Registry::default(), None)?;
//! assert_eq!(profiles.first().name(), "by-name");
//! # Ok::<(), windlass_scheduler::config::ConfigError>(())
//! ```

mod profile;
mod registry;
mod types;

pub use registry::{Context, Factory, Registry, args};
pub use types::{
    Extender, ExtenderResource, ExtenderTls, KubeSchedulerProfile, PluginConfig, PluginRef,
    PluginSet, Plugins,
};

use crate::framework::Profiles;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use types::File;
use windlass_core::client::Client;

/// What is wrong with a configuration. Trying again does not help.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It is no `KubeSchedulerConfiguration` of a version that is known.
    #[error("no kind \"{kind}\" is registered for version \"{version}\"")]
    Kind {
        /// What it says it is.
        kind: String,
        /// Of this version.
        version: String,
    },
    /// A field is not known, or not of the right type.
    #[error("strict decoding error: {0}")]
    Decode(#[from] serde_json::Error),
    /// The arguments of a plugin are not what it takes.
    #[error("initializing plugin {plugin:?}: {reason}")]
    Arguments {
        /// The plugin.
        plugin: String,
        /// What is wrong.
        reason: String,
    },
    /// A value is out of its range, or contradicts another.
    #[error("{0}")]
    Invalid(String),
}

/// A configuration.
#[derive(Clone, Debug)]
pub struct Configuration {
    file: File,
}

// === impl Configuration ===

impl Configuration {
    /// The configuration that a file's content is, YAML turned into JSON values.
    ///
    /// # Errors
    /// What is wrong with it. Fields that are not known are wrong.
    pub fn new(content: Value) -> Result<Self, ConfigError> {
        let text = |field: &str| content[field].as_str().unwrap_or_default().to_owned();
        let (version, kind) = (text("apiVersion"), text("kind"));
        if (version.as_str(), kind.as_str())
            != ("kubescheduler.config.k8s.io/v1", "KubeSchedulerConfiguration")
        {
            return Err(ConfigError::Kind { kind, version });
        }
        let file: File = serde_json::from_value(content)?;
        file.validate()?;
        Ok(Self { file })
    }

    /// Its profiles with the plugins of a registry; the default profile when it names none. What binds through the API
    /// needs the client.
    ///
    /// # Errors
    /// A plugin that is not known, arguments it does not take, a point that lacks what it needs, gangs together with extenders.
    pub fn profiles(
        &self,
        registry: &Registry,
        client: Option<Arc<dyn Client>>,
    ) -> Result<Profiles, ConfigError> {
        let managed = self.file.extenders.iter().flat_map(|extender| &extender.managed_resources);
        let ignored = managed.filter(|resource| resource.ignored_by_scheduler);
        let context = registry.context(client, ignored.map(|r| r.name.clone()).collect());
        let default = [KubeSchedulerProfile::default()];
        let given: &[KubeSchedulerProfile] = match self.file.profiles.as_slice() {
            [] => &default,
            given => given,
        };
        let profiles = given.iter().map(|given| profile::build(given, registry, &context));
        let profiles: Vec<_> = profiles.collect::<Result<_, _>>()?;
        // Extenders are asked pod by pod: they could not say where a group goes.
        if !self.file.extenders.is_empty() && profiles.iter().any(|p| p.has("GangScheduling")) {
            let text = "extenders: Forbidden: they have no say in gangs (GangScheduling)";
            return Err(ConfigError::Invalid(text.into()));
        }
        Profiles::new(profiles.into_iter().map(Arc::new).collect())
            .ok_or_else(|| ConfigError::Invalid("profiles: Required value".into()))
    }

    /// How long a pod that failed waits: at first, and at most.
    #[must_use]
    pub fn backoff(&self) -> (Duration, Duration) {
        let seconds = |given: Option<u64>, default| Duration::from_secs(given.unwrap_or(default));
        let first = seconds(self.file.pod_initial_backoff_seconds, 1);
        (first, seconds(self.file.pod_max_backoff_seconds, 10))
    }

    /// The kubeconfig it names (`clientConnection.kubeconfig`).
    #[must_use]
    pub fn kubeconfig(&self) -> Option<&str> {
        let path = self.file.client_connection.as_ref()?.kubeconfig.as_str();
        (!path.is_empty()).then_some(path)
    }

    /// The extenders it names, for [`crate::Extenders::new`].
    #[must_use]
    pub fn extenders(&self) -> &[Extender] {
        &self.file.extenders
    }
}

#[cfg(test)]
mod tests;
