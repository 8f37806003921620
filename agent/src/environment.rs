//! The environment of a container: a pure function of the pod and of the objects it names.

mod expand;
mod fields;
mod services;
mod sources;

pub(crate) use expand::expand;
pub(crate) use fields::{Facts, field, resource_field};
pub(crate) use services::{ServiceView, service_variables};
pub(crate) use sources::Sources;

use std::collections::BTreeMap;
use windlass_core::apis::core::v1::{Container, EnvVarSource, Pod};

/// The container's configuration can't be made, in the words of its status. Retry when what is named changes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct ConfigError(pub(crate) String);

/// Names and values, in order; a name that comes again takes the new value.
#[derive(Debug, Default)]
pub(crate) struct Variables {
    list: Vec<(String, String)>,
    places: BTreeMap<String, usize>,
}

impl Variables {
    pub(crate) fn set(&mut self, name: &str, value: String) {
        match self.places.get(name) {
            Some(place) => self.list[*place].1 = value,
            None => {
                self.places.insert(name.to_owned(), self.list.len());
                self.list.push((name.to_owned(), value));
            }
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.places.get(name).map(|place| self.list[*place].1.as_str())
    }

    pub(crate) fn into_list(self) -> Vec<(String, String)> {
        self.list
    }
}

/// The environment of a container, its command and arguments expanded with it.
pub(crate) struct Environment {
    pub(crate) variables: Vec<(String, String)>,
    pub(crate) command: Vec<String>,
    pub(crate) args: Vec<String>,
}

/// Makes it. `services` are the variables of the cluster's services.
pub(crate) fn environment(
    pod: &Pod,
    container: &Container,
    sources: &Sources,
    services: &[(String, String)],
    facts: &Facts<'_>,
) -> Result<Environment, ConfigError> {
    // What the services give may be used in, and is overridden by, what the pod says.
    let service_values: BTreeMap<_, _> = services.iter().map(|(n, v)| (n.as_str(), v)).collect();
    let mut variables = Variables::default();
    variables.set("HOSTNAME", facts.hostname.to_owned());
    from_sources(container, sources, &mut variables)?;
    for variable in container.env.iter().flatten() {
        let value = match (&variable.value, &variable.value_from) {
            (Some(value), _) if !value.is_empty() => {
                let lookup = |name: &str| {
                    let service = || service_values.get(name).map(|value| value.as_str());
                    variables.get(name).or_else(service).map(ToOwned::to_owned)
                };
                Some(expand(value, lookup))
            }
            (_, Some(from)) => value_from(pod, container, from, sources, facts)?,
            _ => Some(String::new()),
        };
        if let Some(value) = value {
            variables.set(&variable.name, value);
        }
    }
    for (name, value) in services {
        if variables.get(name).is_none() {
            variables.set(name, value.clone());
        }
    }
    let expand_all = |list: &Option<Vec<String>>| {
        let lookup = |name: &str| variables.get(name).map(ToOwned::to_owned);
        list.iter().flatten().map(|text| expand(text, lookup)).collect()
    };
    let (command, args) = (expand_all(&container.command), expand_all(&container.args));
    Ok(Environment { command, args, variables: variables.into_list() })
}

fn from_sources(
    container: &Container,
    sources: &Sources,
    variables: &mut Variables,
) -> Result<(), ConfigError> {
    for from in container.env_from.iter().flatten() {
        let prefix = from.prefix.as_deref().unwrap_or_default();
        let data = if let Some(map) = &from.config_map_ref {
            sources.config_map(&map.name, map.optional == Some(true))?
        } else if let Some(secret) = &from.secret_ref {
            sources.secret(&secret.name, secret.optional == Some(true))?
        } else {
            None
        };
        for (key, value) in data.into_iter().flatten() {
            variables.set(&format!("{prefix}{key}"), value);
        }
    }
    Ok(())
}

fn value_from(
    pod: &Pod,
    container: &Container,
    from: &EnvVarSource,
    sources: &Sources,
    facts: &Facts<'_>,
) -> Result<Option<String>, ConfigError> {
    if let Some(reference) = &from.field_ref {
        return field(pod, &reference.field_path, facts).map(Some);
    }
    if let Some(reference) = &from.resource_field_ref {
        let named = reference.container_name.as_deref().filter(|name| *name != container.name);
        let of =
            named.and_then(|name| pod.spec.as_ref()?.containers.iter().find(|c| c.name == name));
        return resource_field(of.unwrap_or(container), reference, facts).map(Some);
    }
    if let Some(reference) = &from.config_map_key_ref {
        let optional = reference.optional == Some(true);
        return sources.config_map_key(&reference.name, &reference.key, optional);
    }
    if let Some(reference) = &from.secret_key_ref {
        let optional = reference.optional == Some(true);
        return sources.secret_key(&reference.name, &reference.key, optional);
    }
    Err(ConfigError("the source of a variable's value is of an unknown kind".into()))
}

#[cfg(test)]
mod tests;
