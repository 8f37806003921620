//! What is checked: a pod, or what pods are made from.

use crate::strategy::Map;
use crate::strategy::json::{map_at, map_of, maps_of, str_of};
use serde_json::Value;
use std::collections::BTreeSet;
use windlass_core::scheme::{self, GroupVersionResource};

/// The metadata and the spec of a pod.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    metadata: Option<&'a Map>,
    pub(super) spec: &'a Map,
}

/// Kinds that make pods from a template, and where that is.
static TEMPLATES: [(GroupVersionResource, &[&str]); 8] = [
    (scheme::PODTEMPLATES, &["template"]),
    (scheme::REPLICATIONCONTROLLERS, &["spec", "template"]),
    (scheme::REPLICASETS, &["spec", "template"]),
    (scheme::DEPLOYMENTS, &["spec", "template"]),
    (scheme::STATEFULSETS, &["spec", "template"]),
    (scheme::DAEMONSETS, &["spec", "template"]),
    (scheme::JOBS, &["spec", "template"]),
    (scheme::CRONJOBS, &["spec", "jobTemplate", "spec", "template"]),
];

/// Whether objects of a resource hold a template for pods.
pub(super) fn has_template(resource: &GroupVersionResource) -> bool {
    TEMPLATES.iter().any(|(known, _)| known == resource)
}

// === impl Subject ===

impl<'a> Subject<'a> {
    pub(super) fn pod(pod: &'a Map) -> Option<Self> {
        Some(Self { metadata: map_of(pod, "metadata"), spec: map_of(pod, "spec")? })
    }

    /// The template in an object of a resource.
    pub(super) fn template(resource: &GroupVersionResource, object: &'a Map) -> Option<Self> {
        let (_, path) = TEMPLATES.iter().find(|(known, _)| known == resource)?;
        Self::pod(map_at(object, path)?)
    }

    pub(super) fn annotations(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let all = self.metadata.and_then(|metadata| map_of(metadata, "annotations"));
        all.into_iter().flatten().filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
    }

    /// All containers, in the order in which they run.
    pub(super) fn containers(&self) -> impl Iterator<Item = &'a Map> + use<'a> {
        let spec = self.spec;
        ["initContainers", "containers", "ephemeralContainers"]
            .into_iter()
            .flat_map(move |list| maps_of(spec, list).map(|(_, container)| container))
    }

    /// The names of the containers that something holds for.
    pub(super) fn which(&self, holds: impl Fn(&Map) -> bool) -> Vec<&'a str> {
        self.containers().filter(|one| holds(one)).map(|one| str_of(one, "name")).collect()
    }

    /// What stands in the security context of the pod.
    pub(super) fn secured(&self, field: &str) -> Option<&'a Value> {
        secured(self.spec, field)
    }

    /// Its processes are not those of a user of the machine.
    pub(super) fn has_own_users(&self) -> bool {
        self.spec.get("hostUsers") == Some(&Value::Bool(false))
    }

    pub(super) fn is_windows(&self) -> bool {
        map_of(self.spec, "os").is_some_and(|os| str_of(os, "name") == "windows")
    }

    pub(super) fn runtime_class(&self) -> &'a str {
        str_of(self.spec, "runtimeClassName")
    }
}

/// What stands in the security context of a container or a pod; nothing when it is null.
pub(super) fn secured<'a>(owner: &'a Map, field: &str) -> Option<&'a Value> {
    map_of(owner, "securityContext")?.get(field).filter(|value| !value.is_null())
}

/// `container "a"`, `containers "a", "b"`.
pub(super) fn named(names: &[&str]) -> String {
    format!("{} {}", plural("container", names.len()), quoted(names))
}

/// `"a", "b"`.
pub(super) fn quoted<S: AsRef<str>>(all: impl IntoIterator<Item = S>) -> String {
    let all: Vec<_> = all.into_iter().map(|one| format!("\"{}\"", one.as_ref())).collect();
    all.join(", ")
}

/// One word for one, with an `s` for several.
pub(super) fn plural(word: &str, count: usize) -> String {
    if count == 1 { word.to_owned() } else { format!("{word}s") }
}

/// Who sets something he must not set to a value.
#[derive(Default)]
pub(super) struct Setters<'a> {
    pub(super) pod: bool,
    pub(super) containers: Vec<&'a str>,
    /// The values, in their order.
    pub(super) values: BTreeSet<String>,
}

// === impl Setters ===

impl<'a> Setters<'a> {
    /// Those for whom `bad` finds a value in the security context.
    pub(super) fn of(subject: &Subject<'a>, bad: impl Fn(&Map) -> Option<String>) -> Self {
        let mut found = Self::default();
        if let Some(value) = bad(subject.spec) {
            found.pod = true;
            found.values.insert(value);
        }
        for container in subject.containers() {
            if let Some(value) = bad(container) {
                found.containers.push(str_of(container, "name"));
                found.values.insert(value);
            }
        }
        found
    }

    /// `pod and container "a"`; none when there is nobody.
    pub(super) fn names(&self) -> Option<String> {
        match (self.pod, self.containers.as_slice()) {
            (false, []) => None,
            (true, []) => Some("pod".into()),
            (false, some) => Some(named(some)),
            (true, some) => Some(format!("pod and {}", named(some))),
        }
    }
}
