//! Pods: what their containers ask for together (Kubernetes documentation, "Resource Quotas" and "Sidecar Containers").

use super::{Amount, Amounts, List, Uses, amounts};
use crate::apis::core::v1::{Affinity, PodAffinityTerm};
use crate::apis::meta::v1::Time;
use crate::quota::names::{is_extended, is_native};
use jiff::Timestamp;
use serde::Deserialize;
use std::time::Duration;

/// What a pod uses, and which scopes it is in.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(from = "Pod")]
pub struct PodUsage {
    /// What it uses as long as it has not ended.
    pub uses: Uses,
    /// All its containers have ended for good.
    pub terminal: bool,
    /// From then on it counts as ended: its node has had twice the time to end it.
    pub lost: Option<Timestamp>,
    /// It has a deadline.
    pub terminating: bool,
    /// No container asks for CPU or memory.
    pub best_effort: bool,
    /// Its class, if it names one.
    pub priority_class: Option<String>,
    /// Its affinity looks at pods of other namespaces.
    pub crosses_namespaces: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Pod {
    metadata: Metadata,
    spec: Spec,
    status: Status,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Metadata {
    deletion_timestamp: Option<Time>,
    deletion_grace_period_seconds: Option<u32>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    containers: Vec<Container>,
    init_containers: Vec<Container>,
    overhead: List,
    resources: Resources,
    active_deadline_seconds: Option<i64>,
    priority_class_name: Option<String>,
    affinity: Option<Affinity>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Container {
    name: String,
    resources: Resources,
    restart_policy: Option<String>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct Resources {
    requests: List,
    limits: List,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    phase: String,
    conditions: Vec<Condition>,
    container_statuses: Vec<ContainerStatus>,
    init_container_statuses: Vec<ContainerStatus>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    reason: String,
}

/// What a container has, which may still be more than it asks for.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ContainerStatus {
    name: String,
    resources: Option<Resources>,
    allocated_resources: List,
}

/// One of the two lists.
type Pick = fn(&Resources) -> &List;

// === impl PodUsage ===

impl From<Pod> for PodUsage {
    fn from(Pod { metadata, mut spec, status }: Pod) -> Self {
        let best_effort = best_effort(&spec);
        status.add_to(&mut spec);
        let grace = metadata.deletion_grace_period_seconds.map(u64::from);
        let lost = metadata
            .deletion_timestamp
            .zip(grace)
            .and_then(|(at, grace)| at.0.checked_add(Duration::from_secs(grace)).ok());
        Self {
            uses: uses(&spec),
            terminal: matches!(status.phase.as_str(), "Succeeded" | "Failed"),
            lost,
            terminating: spec.active_deadline_seconds.is_some_and(|seconds| seconds >= 0),
            best_effort,
            crosses_namespaces: spec.affinity.as_ref().is_some_and(crosses_namespaces),
            priority_class: spec.priority_class_name.filter(|name| !name.is_empty()),
        }
    }
}

// === impl Status ===

impl Status {
    /// Counts for each container what it has where that is more than it asks for: a resize counts when it is done
    /// (KEP-1287). One that can't be done does not count at all.
    fn add_to(&self, spec: &mut Spec) {
        let infeasible =
            |one: &Condition| one.kind == "PodResizePending" && one.reason == "Infeasible";
        let infeasible = self.conditions.iter().any(infeasible);
        let lists = [
            (&mut spec.containers, &self.container_statuses),
            (&mut spec.init_containers, &self.init_container_statuses),
        ];
        for (containers, statuses) in lists {
            for container in containers {
                let status = statuses.iter().find(|status| status.name == container.name);
                if let Some(has) =
                    status.and_then(|status| Some((status.resources.as_ref()?, status)))
                {
                    container.has(has, infeasible);
                }
            }
        }
    }
}

impl Container {
    fn has(&mut self, (now, status): (&Resources, &ContainerStatus), infeasible: bool) {
        let own = &mut self.resources;
        if infeasible {
            own.requests.retain(|name, _| !now.requests.contains_key(name));
            own.limits.retain(|name, _| !now.limits.contains_key(name));
        }
        raise_list(&mut own.requests, &now.requests);
        raise_list(&mut own.requests, &status.allocated_resources);
        raise_list(&mut own.limits, &now.limits);
    }
}

fn raise_list(to: &mut List, other: &List) {
    for (name, amount) in amounts(other) {
        let known = to.get(name).and_then(|known| known.0.parse::<Amount>().ok());
        if known.is_none_or(|known| known.or_larger(amount) != known) {
            to.insert(name.clone(), other[name].clone());
        }
    }
}

fn uses(spec: &Spec) -> Uses {
    let mut uses = vec![("pods".to_owned(), Amount::count(1))];
    for (name, amount) in total(spec, |resources| &resources.requests, false) {
        if is_native(&name) {
            uses.push((format!("requests.{name}"), amount));
            uses.push((name, amount));
        } else if is_extended(&name) {
            uses.push((format!("requests.{name}"), amount));
        }
    }
    for (name, amount) in total(spec, |resources| &resources.limits, true) {
        if is_native(&name) {
            uses.push((format!("limits.{name}"), amount));
        }
    }
    uses
}

/// What the containers that run at once need at the most. Overhead is added; to limits only where there are some.
fn total(spec: &Spec, pick: Pick, limits: bool) -> Amounts {
    let mut sum = Amounts::new();
    for container in &spec.containers {
        add(&mut sum, pick(&container.resources));
    }
    let (mut sidecars, mut first) = (Amounts::new(), Amounts::new());
    for container in &spec.init_containers {
        let list = pick(&container.resources);
        let mut now = sidecars.clone();
        add(&mut now, list);
        raise(&mut first, &now);
        if container.restart_policy.as_deref() == Some("Always") {
            sidecars = now;
            add(&mut sum, list);
        }
    }
    raise(&mut sum, &first);
    // What the pod says of itself as a whole stands.
    sum.extend(amounts(pick(&spec.resources)).map(|(name, amount)| (name.clone(), amount)));
    for (name, amount) in amounts(&spec.overhead) {
        if !limits || sum.contains_key(name) {
            *sum.entry(name.clone()).or_default() += amount;
        }
    }
    sum
}

fn add(sum: &mut Amounts, list: &List) {
    for (name, amount) in amounts(list) {
        *sum.entry(name.clone()).or_default() += amount;
    }
}

fn raise(sum: &mut Amounts, to: &Amounts) {
    for (name, amount) in to {
        let known = sum.entry(name.clone()).or_default();
        *known = known.or_larger(*amount);
    }
}

/// No container asks for CPU or memory.
fn best_effort(spec: &Spec) -> bool {
    let containers = spec.containers.iter().chain(&spec.init_containers);
    let all = containers.map(|container| &container.resources).chain([&spec.resources]);
    let mut lists = all.flat_map(|resources| [&resources.requests, &resources.limits]);
    !lists.any(|list| {
        amounts(list)
            .any(|(name, amount)| matches!(name.as_str(), "cpu" | "memory") && !amount.is_zero())
    })
}

fn crosses_namespaces(affinity: &Affinity) -> bool {
    let crosses = |term: &PodAffinityTerm| {
        term.namespace_selector.is_some()
            || term.namespaces.as_ref().is_some_and(|names| !names.is_empty())
    };
    let (with, against) = (&affinity.pod_affinity, &affinity.pod_anti_affinity);
    let required = [
        with.as_ref().and_then(|a| a.required_during_scheduling_ignored_during_execution.as_ref()),
        against
            .as_ref()
            .and_then(|a| a.required_during_scheduling_ignored_during_execution.as_ref()),
    ];
    let preferred = [
        with.as_ref().and_then(|a| a.preferred_during_scheduling_ignored_during_execution.as_ref()),
        against
            .as_ref()
            .and_then(|a| a.preferred_during_scheduling_ignored_during_execution.as_ref()),
    ];
    required.into_iter().flatten().flatten().any(crosses)
        || preferred.into_iter().flatten().flatten().any(|term| crosses(&term.pod_affinity_term))
}
