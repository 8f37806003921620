//! The fields of the file, named as its API reference names them.

use super::ConfigError;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeSet;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[allow(dead_code, reason = "accepted, as every file may say it, but decides nothing here")]
pub(super) struct File {
    api_version: String,
    kind: String,
    /// All nodes are looked at together: there is nothing to do in parallel.
    parallelism: Option<i32>,
    leader_election: Option<Value>,
    pub(super) client_connection: Option<ClientConnection>,
    enable_profiling: Option<bool>,
    enable_contention_profiling: Option<bool>,
    /// All nodes are looked at, whatever this says.
    percentage_of_nodes_to_score: Option<i32>,
    pub(super) pod_initial_backoff_seconds: Option<u64>,
    pub(super) pod_max_backoff_seconds: Option<u64>,
    pub(super) profiles: Vec<KubeSchedulerProfile>,
    pub(super) extenders: Vec<Extender>,
    delay_cache_until_active: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[allow(dead_code, reason = "the transport has its own limits and formats")]
pub(super) struct ClientConnection {
    pub(super) kubeconfig: String,
    accept_content_types: String,
    content_type: String,
    qps: Option<f32>,
    burst: Option<i32>,
}

/// A profile of the file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct KubeSchedulerProfile {
    /// Which pods are its; `default-scheduler` when it is not given.
    pub scheduler_name: Option<String>,
    /// Accepted; all nodes are looked at.
    pub percentage_of_nodes_to_score: Option<i32>,
    /// Which plugins take part beside and instead of the default ones.
    pub plugins: Option<Plugins>,
    /// Their arguments.
    pub plugin_config: Vec<PluginConfig>,
}

/// Plugins by extension point.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[allow(missing_docs, reason = "each field is the extension point of its name")]
pub struct Plugins {
    pub pre_enqueue: PluginSet,
    pub queue_sort: PluginSet,
    pub pre_filter: PluginSet,
    pub filter: PluginSet,
    pub post_filter: PluginSet,
    pub pre_score: PluginSet,
    pub score: PluginSet,
    pub reserve: PluginSet,
    pub permit: PluginSet,
    pub pre_bind: PluginSet,
    pub bind: PluginSet,
    pub post_bind: PluginSet,
    /// At all points they extend.
    pub multi_point: PluginSet,
}

/// Which plugins take part at a point.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PluginSet {
    /// Those that do.
    pub enabled: Vec<PluginRef>,
    /// Of the default ones those that don't; `*` stands for all.
    pub disabled: Vec<PluginRef>,
}

/// A plugin by name.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PluginRef {
    /// Its name.
    pub name: String,
    /// How much its scores count; 0 for what is usual.
    pub weight: i64,
}

/// The arguments of a plugin.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PluginConfig {
    /// Its name.
    pub name: String,
    /// Its own fields, beside `apiVersion` and `kind`.
    pub args: Value,
}

/// A server that has a say.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Extender {
    /// Where it is.
    pub url_prefix: String,
    /// What to append for filtering; empty: it does not filter.
    pub filter_verb: String,
    /// For preemption.
    pub preempt_verb: String,
    /// For scores.
    pub prioritize_verb: String,
    /// How much its scores count.
    pub weight: i64,
    /// For binding.
    pub bind_verb: String,
    /// Speak TLS.
    #[serde(rename = "enableHTTPS")]
    pub enable_https: bool,
    /// How.
    pub tls_config: Option<ExtenderTls>,
    /// How long it may take: `5s`.
    pub http_timeout: Option<String>,
    /// It knows the nodes: names are enough for it.
    pub node_cache_capable: bool,
    /// Only pods that ask for one of these are its business; empty: all.
    pub managed_resources: Vec<ExtenderResource>,
    /// When it does not answer, do without it.
    pub ignorable: bool,
}

/// A resource that an extender manages.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct ExtenderResource {
    /// Its name.
    pub name: String,
    /// The scheduler itself does not count it.
    pub ignored_by_scheduler: bool,
}

/// How TLS is spoken with an extender.
#[derive(Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[allow(missing_docs, reason = "the fields of client-go's TLSClientConfig")]
pub struct ExtenderTls {
    pub insecure: bool,
    pub server_name: String,
    pub cert_file: String,
    pub key_file: String,
    pub ca_file: String,
    pub cert_data: String,
    pub key_data: String,
    pub ca_data: String,
}

impl std::fmt::Debug for ExtenderTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExtenderTls")
            .field("server_name", &self.server_name)
            .finish_non_exhaustive()
    }
}

// === impl File ===

impl File {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let invalid = |text: String| Err(ConfigError::Invalid(text));
        let percent = self.profiles.iter().map(|profile| profile.percentage_of_nodes_to_score);
        for percent in percent.chain([self.percentage_of_nodes_to_score]).flatten() {
            if !(0..=100).contains(&percent) {
                return invalid(format!(
                    "percentageOfNodesToScore: Invalid value: {percent}: not in valid range [0-100]"
                ));
            }
        }
        let first = self.pod_initial_backoff_seconds.unwrap_or(1);
        if first == 0 {
            return invalid(
                "podInitialBackoffSeconds: Invalid value: 0: must be greater than 0".into(),
            );
        }
        if self.pod_max_backoff_seconds.unwrap_or(10) < first {
            return invalid(
                "podMaxBackoffSeconds: Invalid value: must be greater than or equal to PodInitialBackoffSeconds".into(),
            );
        }
        let mut names = BTreeSet::new();
        for profile in &self.profiles {
            let name = profile.name();
            if !names.insert(name) {
                return invalid(format!("profiles: Duplicate value: {name:?}"));
            }
        }
        self.validate_extenders()
    }

    fn validate_extenders(&self) -> Result<(), ConfigError> {
        let invalid =
            |at: usize, text: &str| Err(ConfigError::Invalid(format!("extenders[{at}].{text}")));
        let mut managed = BTreeSet::new();
        for (at, extender) in self.extenders.iter().enumerate() {
            if extender.url_prefix.is_empty() {
                return invalid(at, "urlPrefix: Required value");
            }
            if !extender.prioritize_verb.is_empty() && extender.weight <= 0 {
                return invalid(
                    at,
                    "weight: Invalid value: must have a positive weight applied to it",
                );
            }
            for resource in &extender.managed_resources {
                if !managed.insert(resource.name.as_str()) {
                    return invalid(at, "managedResources: Duplicate value");
                }
            }
        }
        let binders =
            self.extenders.iter().filter(|extender| !extender.bind_verb.is_empty()).count();
        if binders > 1 {
            let text =
                format!("extenders: Invalid value: found {binders} extenders implementing bind");
            return Err(ConfigError::Invalid(text));
        }
        Ok(())
    }
}

impl KubeSchedulerProfile {
    /// Its `schedulerName`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.scheduler_name.as_deref().unwrap_or("default-scheduler")
    }
}
