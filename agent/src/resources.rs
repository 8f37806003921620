//! Requests and limits: classes of service, cgroups, and what fits.

use crate::pod::{PodExt, Role, init_role};
use crate::runtime::Resources;
use std::collections::BTreeMap;
use windlass_core::apis;
use windlass_core::apis::core::v1::{Container, Pod, ResourceRequirements};
use windlass_core::meta::Quantity;

/// The period of CPU quotas, in microseconds.
const PERIOD: u64 = 100_000;
/// A quota below this many microseconds is refused by the kernel.
const MIN_QUOTA: i64 = 1000;

/// The class of service of a pod (Pod Quality of Service Classes).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Qos {
    Guaranteed,
    Burstable,
    BestEffort,
}

/// What a pod asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Requests {
    pub(crate) milli_cpu: i64,
    pub(crate) memory: i64,
}

type Amounts = Option<BTreeMap<String, apis::Quantity>>;

// === impl Qos ===

impl Qos {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Guaranteed => "Guaranteed",
            Self::Burstable => "Burstable",
            Self::BestEffort => "BestEffort",
        }
    }
}

/// An amount of a list, when it is there and greater than zero.
pub(crate) fn amount(list: &Amounts, name: &str) -> Option<Quantity> {
    let quantity = list.as_ref()?.get(name)?.0.parse::<Quantity>().ok()?;
    (quantity > Quantity::default()).then_some(quantity)
}

/// What a container asks for: its request, or else its limit.
fn request(resources: Option<&ResourceRequirements>, name: &str) -> Option<Quantity> {
    let resources = resources?;
    amount(&resources.requests, name).or_else(|| amount(&resources.limits, name))
}

fn limit(resources: Option<&ResourceRequirements>, name: &str) -> Option<Quantity> {
    amount(&resources?.limits, name)
}

/// The class of service of a pod.
pub(crate) fn qos(pod: &Pod) -> Qos {
    let spec = pod.pod_spec();
    let containers = || spec.containers.iter().chain(pod.init_containers());
    let names = ["cpu", "memory"];
    let any = containers()
        .any(|c| names.iter().any(|name| request(c.resources.as_ref(), name).is_some()));
    let guaranteed = |c: &Container| {
        names.iter().all(|name| {
            let limit = limit(c.resources.as_ref(), name);
            limit.is_some() && request(c.resources.as_ref(), name) == limit
        })
    };
    match (any, containers().all(guaranteed)) {
        (false, _) => Qos::BestEffort,
        (true, true) => Qos::Guaranteed,
        (true, false) => Qos::Burstable,
    }
}

/// What a pod asks for: the sum of its containers, or its greediest init container, with what runs beside it.
pub(crate) fn requests(pod: &Pod) -> Requests {
    let of = |c: &Container| {
        let get = |name| request(c.resources.as_ref(), name).unwrap_or_default();
        Requests { milli_cpu: get("cpu").milli(), memory: get("memory").units() }
    };
    let (mut sidecars, mut peak) = (Requests::default(), Requests::default());
    for container in pod.init_containers() {
        let own = of(container);
        peak = peak.max(sidecars + own);
        if init_role(container) == Role::Sidecar {
            sidecars = sidecars + own;
        }
    }
    let apps = pod.pod_spec().containers.iter().map(of).fold(sidecars, |sum, own| sum + own);
    peak.max(apps)
}

/// The pod's cgroup, relative to the agent's root.
pub(crate) fn cgroup_parent(pod: &Pod) -> String {
    let uid = pod.uid();
    match qos(pod) {
        Qos::Guaranteed => format!("kubepods/pod{uid}"),
        Qos::Burstable => format!("kubepods/burstable/pod{uid}"),
        Qos::BestEffort => format!("kubepods/besteffort/pod{uid}"),
    }
}

/// The limits of a pod's cgroup. A limit holds for the pod when each container has one.
pub(crate) fn of_pod(pod: &Pod) -> Resources {
    let containers = &pod.pod_spec().containers;
    let total = |name: &str| {
        let limits = containers.iter().map(|c| limit(c.resources.as_ref(), name));
        limits.sum::<Option<QuantitySum>>().map(|sum| sum.0)
    };
    let cpu = total("cpu").filter(|_| pod.init_containers().is_empty());
    let memory = total("memory").filter(|_| pod.init_containers().is_empty());
    Resources {
        cpu_shares: Some(shares(requests(pod).milli_cpu)),
        cpu_quota: cpu.map(|q| quota(q.milli())),
        cpu_period: cpu.map(|_| PERIOD),
        memory_limit: memory.map(Quantity::units),
        ..Resources::default()
    }
}

/// What one container begins with.
pub(crate) fn of_container(pod: &Pod, container: &Container, node_memory: i64) -> Resources {
    let request = request(container.resources.as_ref(), "memory").unwrap_or_default().units();
    let score = oom_score(qos(pod), request, node_memory);
    Resources { oom_score_adj: Some(score), ..limits(container) }
}

/// The limits of one container, which may change while it runs.
pub(crate) fn limits(container: &Container) -> Resources {
    let resources = container.resources.as_ref();
    let cpu = limit(resources, "cpu");
    let request_cpu = request(resources, "cpu").unwrap_or_default().milli();
    Resources {
        cpu_shares: Some(shares(request_cpu)),
        cpu_quota: cpu.map(|q| quota(q.milli())),
        cpu_period: cpu.map(|_| PERIOD),
        memory_limit: limit(resources, "memory").map(Quantity::units),
        ..Resources::default()
    }
}

fn shares(milli_cpu: i64) -> u64 {
    (milli_cpu.max(0).unsigned_abs() * 1024 / 1000).clamp(2, 262_144)
}

fn quota(milli_cpu: i64) -> i64 {
    (milli_cpu * (PERIOD as i64) / 1000).max(MIN_QUOTA)
}

/// The more of the node's memory a container asks for, the later it is killed.
fn oom_score(qos: Qos, request: i64, node_memory: i64) -> i32 {
    match qos {
        Qos::Guaranteed => -997,
        Qos::BestEffort => 1000,
        Qos::Burstable => {
            let score = 1000 - (1000 * i128::from(request)) / i128::from(node_memory.max(1));
            i32::try_from(score.clamp(3, 999)).unwrap_or(999)
        }
    }
}

struct QuantitySum(Quantity);

impl std::iter::Sum<Quantity> for QuantitySum {
    fn sum<I: Iterator<Item = Quantity>>(iter: I) -> Self {
        Self(iter.fold(Quantity::default(), |sum, q| sum + q))
    }
}

impl std::ops::Add for Requests {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { milli_cpu: self.milli_cpu + other.milli_cpu, memory: self.memory + other.memory }
    }
}

impl Requests {
    fn max(self, other: Self) -> Self {
        Self {
            milli_cpu: self.milli_cpu.max(other.milli_cpu),
            memory: self.memory.max(other.memory),
        }
    }
}

#[cfg(test)]
mod tests;
