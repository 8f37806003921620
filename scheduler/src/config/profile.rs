//! From a profile of the file to one that schedules.

use super::ConfigError;
use super::registry::{Context, Registry};
use super::types::{KubeSchedulerProfile, PluginRef, PluginSet, Plugins};
use crate::framework::{Extensions, Profile};
use serde_json::Value;
use std::collections::BTreeSet;

/// A plugin that takes part.
struct Chosen {
    name: String,
    weight: i64,
    /// At all its points, but for those where it is disabled; otherwise only where it is enabled.
    everywhere: bool,
}

pub(super) fn build(
    given: &KubeSchedulerProfile,
    registry: &Registry,
    context: &Context,
) -> Result<Profile, ConfigError> {
    let none = Plugins::default();
    let plugins = given.plugins.as_ref().unwrap_or(&none);
    check_arguments(given)?;
    let mut builder = Profile::builder(given.name());
    for chosen in choose(plugins, registry) {
        let entry = registry.get(&chosen.name).ok_or_else(|| {
            ConfigError::Invalid(format!("plugin {:?} does not exist", chosen.name))
        })?;
        let config = given.plugin_config.iter().find(|config| config.name == chosen.name);
        let made = (entry.factory)(config.map_or(&Value::Null, |c| &c.args), context)?;
        if let Some(plugin) = made {
            let weight = match chosen.weight {
                0 => entry.default.unwrap_or(1),
                weight => weight,
            };
            builder = builder.shared(plugin, weight, |at| points(at, plugins, &chosen));
        }
    }
    let profile = builder.build();
    check_points(&profile, context)?;
    Ok(profile)
}

/// The default plugins that are left, in their order, then those that are enabled.
fn choose(plugins: &Plugins, registry: &Registry) -> Vec<Chosen> {
    let multi = &plugins.multi_point;
    let mut chosen: Vec<Chosen> = Vec::new();
    for (name, weight) in registry.defaults().filter(|(name, _)| !disables(multi, name)) {
        chosen.push(Chosen { name: name.to_owned(), weight, everywhere: true });
    }
    let mut enable = |enabled: &PluginRef, everywhere: bool, score: bool| match chosen
        .iter_mut()
        .find(|known| known.name == enabled.name)
    {
        Some(known) => {
            known.everywhere |= everywhere;
            if enabled.weight != 0 && (everywhere || score) {
                known.weight = enabled.weight;
            }
        }
        None => {
            chosen.push(Chosen { name: enabled.name.clone(), weight: enabled.weight, everywhere })
        }
    };
    multi.enabled.iter().for_each(|enabled| enable(enabled, true, false));
    for (set, score) in all_sets(plugins) {
        set.enabled.iter().for_each(|enabled| enable(enabled, false, score));
    }
    chosen
}

/// What a plugin extends, where it takes part.
fn points(mut at: Extensions, plugins: &Plugins, chosen: &Chosen) -> Extensions {
    let here = |set: &PluginSet| {
        let enabled = set.enabled.iter().any(|enabled| enabled.name == chosen.name);
        enabled || (chosen.everywhere && !disables(set, &chosen.name))
    };
    at.pre_enqueue = at.pre_enqueue.filter(|_| here(&plugins.pre_enqueue));
    at.queue_sort = at.queue_sort.filter(|_| here(&plugins.queue_sort));
    at.pre_filter = at.pre_filter.filter(|_| here(&plugins.pre_filter));
    at.filter = at.filter.filter(|_| here(&plugins.filter));
    at.post_filter = at.post_filter.filter(|_| here(&plugins.post_filter));
    at.pre_score = at.pre_score.filter(|_| here(&plugins.pre_score));
    at.score = at.score.filter(|_| here(&plugins.score));
    at.reserve = at.reserve.filter(|_| here(&plugins.reserve));
    at.permit = at.permit.filter(|_| here(&plugins.permit));
    at.pre_bind = at.pre_bind.filter(|_| here(&plugins.pre_bind));
    at.bind = at.bind.filter(|_| here(&plugins.bind));
    at.post_bind = at.post_bind.filter(|_| here(&plugins.post_bind));
    at
}

fn disables(set: &PluginSet, name: &str) -> bool {
    set.disabled.iter().any(|disabled| disabled.name == name || disabled.name == "*")
}

/// The sets of single points, with whether it is that of scores.
fn all_sets(plugins: &Plugins) -> [(&PluginSet, bool); 12] {
    [
        (&plugins.pre_enqueue, false),
        (&plugins.queue_sort, false),
        (&plugins.pre_filter, false),
        (&plugins.filter, false),
        (&plugins.post_filter, false),
        (&plugins.pre_score, false),
        (&plugins.score, true),
        (&plugins.reserve, false),
        (&plugins.permit, false),
        (&plugins.pre_bind, false),
        (&plugins.bind, false),
        (&plugins.post_bind, false),
    ]
}

fn check_arguments(given: &KubeSchedulerProfile) -> Result<(), ConfigError> {
    let mut seen = BTreeSet::new();
    match given.plugin_config.iter().find(|config| !seen.insert(config.name.as_str())) {
        Some(twice) => {
            Err(ConfigError::Invalid(format!("repeated config for plugin {}", twice.name)))
        }
        None => Ok(()),
    }
}

fn check_points(profile: &Profile, context: &Context) -> Result<(), ConfigError> {
    let name = profile.name();
    let sorts = profile.at(|at| at.queue_sort.as_ref()).count();
    if sorts != 1 {
        let text = format!(
            "one queue sort plugin required for profile with scheduler name {name:?}, but got {sorts}"
        );
        return Err(ConfigError::Invalid(text));
    }
    if context.client.is_some() && profile.at(|at| at.bind.as_ref()).next().is_none() {
        let text =
            format!("at least one bind plugin is needed for profile with scheduler name {name:?}");
        return Err(ConfigError::Invalid(text));
    }
    Ok(())
}
