//! The built-in plugins by Kubernetes' names: which a server has, and what they are told.

mod configuration;
mod known;

#[cfg(test)]
mod tests;

pub use configuration::AdmissionConfiguration;

use super::Admission;
use crate::authorization::Authorizer;
use crate::registry::Loopback;
use crate::server::Builder;
use known::KNOWN;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use windlass_core::clock::Env;

/// Which plugins a server has: those that kube-apiserver has by default and NodeRestriction, if nothing else is said.
#[derive(Clone, Debug, Default)]
pub struct Plugins {
    enabled: BTreeSet<String>,
    disabled: BTreeSet<String>,
    configurations: BTreeMap<String, Value>,
}

/// What was said of plugins can't be.
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
    /// There is no plugin of this name.
    #[error("unknown admission plugin {0:?}")]
    Unknown(String),
    /// It is asked for and ruled out.
    #[error("the admission plugin {0:?} is both enabled and disabled")]
    Both(String),
    /// A server needs it.
    #[error("the admission plugin {0:?} can't be disabled")]
    Needed(String),
    /// Its configuration can't be read.
    #[error("the configuration of the admission plugin {name:?}: {why}")]
    Configuration {
        /// The plugin.
        name: String,
        /// What is wrong.
        why: String,
    },
}

/// Makes a plugin when the server's objects can be read.
type Factory = Box<dyn FnOnce(&Loopback) -> Arc<dyn Admission> + Send>;

/// What plugins are made with.
struct Making<'a> {
    authorizer: &'a Arc<dyn Authorizer>,
    env: &'a Env,
    configuration: Option<&'a Value>,
}

// === impl Plugins ===

impl Plugins {
    /// With these plugins beside the default ones, and without those.
    ///
    /// # Errors
    /// When one is not known, is in both lists, or is one that a server can't do without.
    pub fn new<S: Into<String>>(
        enabled: impl IntoIterator<Item = S>,
        disabled: impl IntoIterator<Item = S>,
    ) -> Result<Self, PluginError> {
        let enabled: BTreeSet<String> = enabled.into_iter().map(Into::into).collect();
        let disabled: BTreeSet<String> = disabled.into_iter().map(Into::into).collect();
        let names = || enabled.iter().chain(&disabled);
        if let Some(name) = names().find(|name| known::find(name).is_none()) {
            return Err(PluginError::Unknown(name.clone()));
        }
        if let Some(name) = enabled.intersection(&disabled).next() {
            return Err(PluginError::Both(name.clone()));
        }
        if let Some(name) = disabled.iter().find(|name| known::NEEDED == **name) {
            return Err(PluginError::Needed(name.clone()));
        }
        Ok(Self { enabled, disabled, configurations: BTreeMap::new() })
    }

    /// Told of a configuration, plugin by plugin.
    ///
    /// # Errors
    /// When it is for a plugin that is not known.
    pub fn configured(mut self, all: AdmissionConfiguration) -> Result<Self, PluginError> {
        for (name, configuration) in all.plugins {
            if known::find(&name).is_none() {
                return Err(PluginError::Unknown(name));
            }
            self.configurations.insert(name, configuration);
        }
        Ok(self)
    }

    /// Whether a plugin is on.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        let by_default = || known::find(name).is_some_and(|known| known.on);
        self.enabled.contains(name) || (!self.disabled.contains(name) && by_default())
    }

    /// Adds those that are on to a server, in Kubernetes' order. The `authorizer` is asked what users may do beside what
    /// they ask for: approve, sign, own.
    ///
    /// # Errors
    /// When a configuration can't be read.
    pub fn add_to(
        &self,
        mut builder: Builder,
        authorizer: &Arc<dyn Authorizer>,
        env: &Env,
    ) -> Result<Builder, PluginError> {
        for known in KNOWN.iter().filter(|known| self.has(known.name)) {
            let configuration = self.configurations.get(known.name);
            let made = (known.make)(&Making { authorizer, env, configuration });
            let name = || known.name.to_owned();
            let made = made.map_err(|why| PluginError::Configuration { name: name(), why })?;
            if let Some(make) = made {
                builder = builder.admission_with(make);
            }
        }
        Ok(builder)
    }
}
