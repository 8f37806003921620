//! In-place resize of cpu and memory (KEP-1287): what a pod's containers were given, what they have, what is asked for.

use super::snapshot::PodRuntime;
use crate::pod::PodExt;
use crate::resources::{self, amount, limits};
use crate::runtime::{ContainerStatus, Resources, SandboxStatus, SandboxUsage};
use std::collections::BTreeMap;
use windlass_core::apis::core::v1::{Container, Pod, ResourceRequirements};

/// What may be resized.
const NAMES: [&str; 2] = ["cpu", "memory"];

/// Which resources each container of a pod was given.
pub(crate) type Allocated = BTreeMap<String, ResourceRequirements>;

/// What a container needs to have what it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Other limits.
    InPlace,
    /// Another start.
    Restart,
}

/// What the containers of a pod ask for.
pub(crate) fn asked(pod: &Pod) -> Allocated {
    all(pod).map(|c| (c.name.clone(), c.resources.clone().unwrap_or_default())).collect()
}

/// What the containers of a pod were given before this agent: what the API shows of them, or else what they ask for.
pub(crate) fn known(pod: &Pod) -> Allocated {
    let status = pod.status.as_ref();
    let lists = status.map(|s| [&s.container_statuses, &s.init_container_statuses]);
    let shown = lists.into_iter().flatten().flatten().flatten();
    let mut allocated = asked(pod);
    for status in shown.filter(|status| status.resources.is_some()) {
        if let Some(own) = allocated.get_mut(&status.name) {
            *own = status.resources.clone().unwrap_or_default();
        }
    }
    allocated
}

/// Whether a pod asks for something else than it was given.
pub(crate) fn differs(pod: &Pod, allocated: &Allocated) -> bool {
    asked(pod).iter().any(|(name, asked)| {
        let given = allocated.get(name);
        given.is_some_and(|given| essence(given) != essence(asked))
    })
}

/// The pod as if it asked for what it was given.
pub(crate) fn with(mut pod: Pod, allocated: &Allocated) -> Pod {
    let spec = pod.spec.get_or_insert_default();
    for container in spec.containers.iter_mut().chain(spec.init_containers.iter_mut().flatten()) {
        if let Some(given) = allocated.get(&container.name) {
            container.resources = Some(given.clone());
        }
    }
    pod
}

/// What a container that runs needs to have what its pod was given for it; `None`: it has it.
pub(crate) fn change(pod: &Pod, status: &ContainerStatus) -> Option<Change> {
    let container = all(pod).find(|c| c.name == status.name)?;
    let (wanted, has) = (limits(container), &status.resources);
    let cpu = |r: &Resources| (r.cpu_shares, r.cpu_quota);
    let changed = [cpu(&wanted) != cpu(has), wanted.memory_limit != has.memory_limit];
    let policies = container.resize_policy.iter().flatten();
    let restarts = |name: &str| {
        let mut mine = policies.clone().filter(|policy| policy.resource_name == name);
        mine.any(|policy| policy.restart_policy == "RestartContainer")
    };
    match NAMES
        .iter()
        .zip(changed)
        .filter(|(_, changed)| *changed)
        .map(|(name, _)| restarts(name))
        .max()
    {
        None => None,
        Some(true) => Some(Change::Restart),
        Some(false) => Some(Change::InPlace),
    }
}

/// Whether the group of the whole pod lacks what the pod was given.
pub(crate) fn pod_lags(pod: &Pod, sandbox: &SandboxStatus) -> bool {
    let has = &sandbox.config.resources;
    resources::of_pod(pod).over(has) != *has
}

/// The limits that a pod and its containers get in place.
pub(crate) struct Changes<'a> {
    sandbox: &'a SandboxStatus,
    pub(crate) pod: Resources,
    pub(crate) containers: Vec<(&'a ContainerStatus, Resources)>,
}

// === impl Changes ===

impl<'a> Changes<'a> {
    pub(crate) fn of(pod: &Pod, sandbox: &'a SandboxStatus, runtime: &'a PodRuntime) -> Self {
        let in_place = |c: &&ContainerStatus| change(pod, c) == Some(Change::InPlace);
        let new =
            |c: &'a ContainerStatus| Some((c, limits(all(pod).find(|own| own.name == c.name)?)));
        let containers = runtime.running().filter(in_place).filter_map(new).collect();
        Self { sandbox, pod: resources::of_pod(pod), containers }
    }

    /// Whether somebody gets less memory.
    pub(crate) fn lower_memory(&self) -> bool {
        let mut containers = self.containers.iter();
        lower(&self.sandbox.config.resources, &self.pod).is_some()
            || containers.any(|(status, new)| lower(&status.resources, new).is_some())
    }

    /// Whether none gets less memory than it uses: the kernel would end it for that.
    ///
    /// # Errors
    /// In the kubelet's words.
    pub(crate) fn check(&self, used: &SandboxUsage) -> Result<(), String> {
        let below = |whose: &str, limit: Option<u64>, used: u64| {
            let limit = limit.filter(|limit| *limit < used)?;
            let of = format!("attempting to set {whose} memory limit ({limit})");
            Some(format!("{of} below current usage ({used})"))
        };
        let pod = lower(&self.sandbox.config.resources, &self.pod);
        let pod = below("pod", pod, used.pod.memory);
        let containers = self.containers.iter().filter_map(|(status, new)| {
            let used = used.containers.get(&status.id)?.memory;
            below(&format!("container {:?}", status.name), lower(&status.resources, new), used)
        });
        let all: Vec<_> = pod.into_iter().chain(containers).collect();
        match &all[..] {
            [] => Ok(()),
            [one] => Err(format!("cannot decrease memory limits: {one}")),
            more => Err(format!("cannot decrease memory limits: [{}]", more.join(", "))),
        }
    }
}

/// The new limit of memory, where it is lower.
fn lower(has: &Resources, new: &Resources) -> Option<u64> {
    let limit = new.memory_limit.filter(|limit| has.memory_limit.is_none_or(|has| *limit < has))?;
    u64::try_from(limit).ok()
}

fn all(pod: &Pod) -> impl Iterator<Item = &Container> {
    pod.pod_spec().containers.iter().chain(pod.init_containers())
}

fn essence(resources: &ResourceRequirements) -> impl PartialEq {
    let of = |list| NAMES.map(|name| amount(list, name));
    (of(&resources.requests), of(&resources.limits))
}
