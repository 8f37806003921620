//! One webhook of a configuration, ready to be called.

use crate::admission::expression::{Conditions, NamedExpression};
use crate::admission::index::Objects;
use crate::admission::rules::{MatchResources, Matcher};
use crate::registry::Loopback;
use crate::webhook::{ClientConfig, Webhook};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use windlass_core::Object;

/// How long a webhook has when it does not say.
const TIMEOUT: u64 = 10;
/// Versions of reviews that are spoken.
const VERSIONS: [&str; 2] = ["v1", "v1beta1"];
const UNSPOKEN: &str = "could not create admission objects: webhook does not accept known AdmissionReview versions (v1, v1beta1)";

/// A webhook.
pub(super) struct Hook {
    /// What tells it from all others.
    pub(super) key: String,
    pub(super) configuration: String,
    pub(super) name: String,
    pub(super) matcher: Matcher,
    pub(super) conditions: Conditions,
    /// Whether nobody gets past it when it can't be called.
    pub(super) fail: bool,
    /// Whether it may be called for what is not kept.
    pub(super) dry_run: bool,
    pub(super) timeout: Duration,
    /// Whether it wants to see what others change after it.
    pub(super) reinvoke: bool,
    /// The version of reviews it understands; or why it can't be asked.
    pub(super) version: Result<&'static str, String>,
    pub(super) client: Arc<Webhook>,
    config: ClientConfig,
}

#[derive(Deserialize)]
struct Configuration {
    #[serde(default)]
    webhooks: Vec<Described>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Described {
    name: String,
    client_config: ClientConfig,
    #[serde(flatten)]
    matching: MatchResources,
    match_conditions: Vec<NamedExpression>,
    failure_policy: Option<String>,
    side_effects: Option<String>,
    timeout_seconds: Option<u64>,
    reinvocation_policy: Option<String>,
    admission_review_versions: Vec<String>,
}

/// What was made of configurations so far: one that did not change is not read again, and a webhook that is still
/// called in the same way keeps its connections.
pub(super) struct Hooks {
    objects: Loopback,
    known: BTreeMap<String, (u64, Vec<Arc<Hook>>)>,
}

// === impl Hooks ===

impl Hooks {
    pub(super) fn new(objects: Loopback) -> Self {
        Self { objects, known: BTreeMap::new() }
    }

    /// The webhooks of all configurations, in the order of their names.
    pub(super) fn make(&mut self, all: &Objects) -> Vec<Arc<Hook>> {
        self.known.retain(|name, _| all.contains_key(name));
        for (name, object) in all {
            let version = object.resource_version();
            let before = self.known.remove(name);
            let hooks = match before {
                Some((known, hooks)) if known == version => hooks,
                before => self.read(object, before.map(|(_, hooks)| hooks)),
            };
            self.known.insert(name.clone(), (version, hooks));
        }
        self.known.values().flat_map(|(_, hooks)| hooks.iter().cloned()).collect()
    }

    /// What can't be read stays as it was before; with nothing before, nobody gets past it.
    fn read(&self, object: &Object, before: Option<Vec<Arc<Hook>>>) -> Vec<Arc<Hook>> {
        let configuration: Configuration = match object.view() {
            Ok(configuration) => configuration,
            Err(error) => {
                tracing::error!(name = object.name(), %error, "a webhook configuration can't be read");
                return before
                    .unwrap_or_else(|| vec![Arc::new(self.refusing(object.name(), &error))]);
            }
        };
        let before = before.unwrap_or_default();
        let mut hooks: Vec<Arc<Hook>> = Vec::with_capacity(configuration.webhooks.len());
        for (at, described) in configuration.webhooks.into_iter().enumerate() {
            let same = before.iter().find(|hook| hook.config == described.client_config);
            let client = match same {
                Some(hook) => hook.client.clone(),
                None => {
                    let config = described.client_config.clone();
                    Arc::new(Webhook::new(config, self.objects.clone()))
                }
            };
            hooks.push(Arc::new(Hook::new(object.name(), at, described, client)));
        }
        hooks
    }

    /// A hook in the place of a configuration that can't be read.
    fn refusing(&self, configuration: &str, error: &windlass_core::Error) -> Hook {
        let client = Arc::new(Webhook::new(ClientConfig::default(), self.objects.clone()));
        let all = Described {
            name: configuration.to_owned(),
            matching: MatchResources::everything(),
            side_effects: Some("None".into()),
            ..Described::default()
        };
        let version = Err(format!("its configuration can't be read: {error}"));
        Hook { version, ..Hook::new(configuration, 0, all, client) }
    }
}

// === impl Hook ===

impl Hook {
    fn new(configuration: &str, at: usize, given: Described, client: Arc<Webhook>) -> Self {
        let fail = given.failure_policy.as_deref() != Some("Ignore");
        let dry_run = matches!(given.side_effects.as_deref(), Some("None" | "NoneOnDryRun"));
        let spoken = |wanted: &String| VERSIONS.into_iter().find(|known| known == wanted);
        Self {
            key: format!("{configuration}/{}/{at}", given.name),
            configuration: configuration.to_owned(),
            matcher: Matcher::from(&given.matching),
            conditions: Conditions::compile(&given.match_conditions, false, fail),
            fail,
            dry_run,
            timeout: Duration::from_secs(given.timeout_seconds.unwrap_or(TIMEOUT)),
            reinvoke: given.reinvocation_policy.as_deref() == Some("IfNeeded"),
            version: given
                .admission_review_versions
                .iter()
                .find_map(spoken)
                .ok_or_else(|| UNSPOKEN.to_owned()),
            name: given.name,
            client,
            config: given.client_config,
        }
    }
}
