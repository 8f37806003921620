//! What a write asks for.

use crate::admission::{AdmissionRequest, Operation};
use crate::strategy::Map;
use crate::strategy::json::{map_at, map_of, maps_of, str_of};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use windlass_core::meta::Status;
use windlass_core::quota::{
    Amount, ClaimUsage, DeviceUsage, PodUsage, Scoped, Scopes, ServiceUsage, Source,
};
use windlass_core::scheme;

/// Amounts by the names that quotas have for them.
pub(super) type Amounts = BTreeMap<String, Amount>;

/// The names that each container must state something for when a quota counts them.
const STATED: [&str; 6] =
    ["cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"];

/// What the object of a request uses.
pub(super) struct Asked {
    pub(super) source: Source,
    /// `apps`, `deployments`.
    pub(super) group: String,
    pub(super) resource: String,
    /// What the object uses, and what it uses more than before.
    pub(super) usage: Amounts,
    pub(super) more: Amounts,
    object: Counted,
    /// How it was, if it was there.
    before: Option<Counted>,
    /// By name: the containers that state nothing for it.
    pub(super) silent: BTreeMap<&'static str, BTreeSet<String>>,
}

/// What quotas look at besides amounts.
enum Counted {
    Pod(PodUsage),
    Claim(ClaimUsage),
    Other,
}

// === impl Counted ===

impl Counted {
    fn scoped(&self) -> Option<Scoped<'_>> {
        match self {
            Self::Pod(pod) => Some(pod.into()),
            Self::Claim(claim) => Some(claim.into()),
            Self::Other => None,
        }
    }
}

// === impl Asked ===

impl Asked {
    /// What may be in a scope; of other objects nothing.
    pub(super) fn scoped(&self) -> Option<Scoped<'_>> {
        self.object.scoped()
    }

    /// Whether it was there already and in none of these scopes.
    pub(super) fn enters(&self, scopes: &Scopes) -> bool {
        let before = self.before.as_ref().and_then(Counted::scoped);
        before.is_some_and(|it| !scopes.take(it))
    }

    /// Whether such a write can use anything. Pods use what they were made with, or resized to; of most objects only
    /// the number is counted. What is about to go is counted too: until then it may still grow.
    pub(super) fn is_counted(request: &AdmissionRequest<'_>) -> bool {
        let resource = request.resource;
        match (request.operation, request.subresource) {
            (Operation::Create, "") => true,
            (Operation::Update, "resize") => *resource == scheme::PODS,
            (Operation::Update, "") => {
                *resource == scheme::SERVICES || *resource == scheme::PERSISTENTVOLUMECLAIMS
            }
            _ => false,
        }
    }

    pub(super) fn of(request: &AdmissionRequest<'_>) -> Result<Self, Status> {
        let empty = Map::new();
        let object = request.object.as_ref().unwrap_or(&empty);
        let source = Source::of(request.resource);
        let (usage, counted) = usage(&source, object)?;
        let (mut more, mut before) = (usage.clone(), None);
        if let Some(old) = request.old {
            let (used, old) = self::usage(&source, old)?;
            before = Some(old);
            for (name, used) in used {
                let now = more.entry(name).or_default();
                *now = *now - used;
            }
            if source != Source::Pods {
                // What is given back is counted by the controller.
                more.retain(|_, amount| *amount == amount.or_larger(Amount::default()));
            }
        }
        more.retain(|_, amount| !amount.is_zero());
        let silent = match counted {
            Counted::Pod(_) => silent(object),
            _ => BTreeMap::new(),
        };
        let (group, resource) =
            (request.resource.group.to_string(), request.resource.resource.to_string());
        Ok(Self { source, group, resource, usage, more, object: counted, before, silent })
    }
}

fn usage(source: &Source, object: &Map) -> Result<(Amounts, Counted), Status> {
    let one = || source.counts().into_iter().map(|name| (name, Amount::count(1)));
    Ok(match source {
        Source::Objects { .. } => (one().collect(), Counted::Other),
        Source::Services => {
            let ServiceUsage(uses) = ServiceUsage::deserialize(object).map_err(Status::internal)?;
            (uses.into_iter().collect(), Counted::Other)
        }
        Source::Claims => {
            let claim = ClaimUsage::deserialize(object).map_err(Status::internal)?;
            (claim.uses.iter().cloned().collect(), Counted::Claim(claim))
        }
        Source::Devices => {
            let DeviceUsage(uses) = DeviceUsage::deserialize(object).map_err(Status::internal)?;
            (uses.into_iter().collect(), Counted::Other)
        }
        Source::Pods => {
            let pod = PodUsage::deserialize(object).map_err(Status::internal)?;
            let mut uses: Amounts = one().collect();
            if pod.terminal {
                uses.remove(&*scheme::PODS.resource);
            } else {
                uses.extend(pod.uses.iter().cloned());
            }
            (uses, Counted::Pod(pod))
        }
    })
}

/// What containers do not state. Of a pod that states it as a whole, nothing.
fn silent(pod: &Map) -> BTreeMap<&'static str, BTreeSet<String>> {
    let mut all: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
    let Some(spec) = map_of(pod, "spec") else { return all };
    let states = |owner: &Map, list: &str| {
        map_at(owner, &["resources", list]).is_some_and(|list| !list.is_empty())
    };
    if states(spec, "requests") || states(spec, "limits") {
        return all;
    }
    for list in ["containers", "initContainers"] {
        for (_, container) in maps_of(spec, list) {
            for name in STATED {
                if !is_stated(container, name) {
                    let containers = all.entry(name).or_default();
                    containers.insert(str_of(container, "name").to_owned());
                }
            }
        }
    }
    all
}

fn is_stated(container: &Map, name: &str) -> bool {
    let (list, resource) = name.split_once('.').unwrap_or(("requests", name));
    map_at(container, &["resources", list]).is_some_and(|list| list.contains_key(resource))
}
