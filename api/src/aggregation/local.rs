//! The APIServices of what this server serves itself: a pure plan.

use super::service::Spec;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use windlass_core::scheme::GroupVersion;

use super::service::AUTOMANAGED;

/// Groups whose order Kubernetes fixes, with their priority; and those versions that do not have the usual one.
const GROUPS: [(&str, i32); 22] = [
    ("", 18_000),
    ("apps", 17_800),
    ("events.k8s.io", 17_750),
    ("authentication.k8s.io", 17_700),
    ("authorization.k8s.io", 17_600),
    ("autoscaling", 17_500),
    ("batch", 17_400),
    ("certificates.k8s.io", 17_300),
    ("networking.k8s.io", 17_200),
    ("policy", 17_100),
    ("rbac.authorization.k8s.io", 17_000),
    ("storage.k8s.io", 16_800),
    ("apiextensions.k8s.io", 16_700),
    ("admissionregistration.k8s.io", 16_700),
    ("scheduling.k8s.io", 16_600),
    ("coordination.k8s.io", 16_500),
    ("node.k8s.io", 16_300),
    ("discovery.k8s.io", 16_200),
    ("flowcontrol.apiserver.k8s.io", 16_100),
    ("internal.apiserver.k8s.io", 16_000),
    ("resource.k8s.io", 15_900),
    ("storagemigration.k8s.io", 15_800),
];
const VERSIONS: [(&str, &str, i32); 3] =
    [("", "v1", 1), ("autoscaling", "v2", 30), ("flowcontrol.apiserver.k8s.io", "v1", 21)];
/// A version of a group of Kubernetes' own that is stable, and one that is not.
const STABLE: i32 = 15;
const UNSTABLE: i32 = 9;
/// All other groups, and their versions.
const OTHERS: (i32, i32) = (1000, 100);
/// It has none itself: it is what APIServices are of.
const OWN_GROUP: &str = "apiregistration.k8s.io";

/// How long an APIService is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// It is made and set right at the start; what users do to it later stays.
    OnStart,
    /// It is there as long as what it stands for.
    Always,
}

/// An APIService that there shall be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) spec: Spec,
    pub(super) kept: Kept,
}

/// An APIService that there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) spec: Spec,
    /// None: a user's.
    pub(super) kept: Option<Kept>,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Create(String),
    Update(String),
    Delete(String),
}

/// The APIServices of group versions; `defined` says of one whether users defined it.
pub(super) fn wanted(
    versions: impl IntoIterator<Item = (GroupVersion, bool)>,
) -> BTreeMap<String, Wanted> {
    let served = versions.into_iter().filter(|(version, _)| version.group != OWN_GROUP);
    served.map(|(version, defined)| (name(&version), want(&version, defined))).collect()
}

fn name(version: &GroupVersion) -> String {
    format!("{}.{}", version.version, version.group)
}

fn want(version: &GroupVersion, defined: bool) -> Wanted {
    let (group, of_group) = (&*version.group, &*version.version);
    let fixed = GROUPS.iter().find(|(name, _)| *name == group).filter(|_| !defined);
    let (group_priority_minimum, version_priority) = match fixed {
        None => OTHERS,
        Some((_, priority)) => {
            let special = VERSIONS.iter().find(|known| (known.0, known.1) == (group, of_group));
            let stable = !of_group.contains("alpha") && !of_group.contains("beta");
            let usual = if stable { STABLE } else { UNSTABLE };
            (*priority, special.map_or(usual, |known| known.2))
        }
    };
    let spec = Spec {
        group: group.to_owned(),
        version: of_group.to_owned(),
        group_priority_minimum,
        version_priority,
        ..Spec::default()
    };
    Wanted { spec, kept: if defined { Kept::Always } else { Kept::OnStart } }
}

/// What to do for there to be what shall be. `start` is true once, at first.
pub(super) fn plan(
    wanted: &BTreeMap<String, Wanted>,
    found: &BTreeMap<String, Found>,
    start: bool,
) -> Vec<Step> {
    let kept = |kept: Kept| start || kept == Kept::Always;
    let mut steps = Vec::new();
    for (name, wanted) in wanted.iter().filter(|(_, wanted)| kept(wanted.kept)) {
        match found.get(name) {
            None => steps.push(Step::Create(name.clone())),
            Some(Found { kept: None, .. }) => {}
            Some(known) if known.spec.service.is_some() && !wanted.is_builtin() => {}
            Some(known) if known.spec != wanted.spec || known.kept != Some(wanted.kept) => {
                steps.push(Step::Update(name.clone()));
            }
            Some(_) => {}
        }
    }
    let gone = found
        .iter()
        .filter(|(name, found)| !wanted.contains_key(*name) && found.kept.is_some_and(kept));
    steps.extend(gone.map(|(name, _)| Step::Delete(name.clone())));
    steps
}

// === impl Kept ===

impl Kept {
    /// From the label.
    pub(super) fn parse(label: Option<&str>) -> Option<Self> {
        match label? {
            "onstart" => Some(Self::OnStart),
            "true" => Some(Self::Always),
            _ => None,
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::OnStart => "onstart",
            Self::Always => "true",
        }
    }
}

// === impl Wanted ===

impl Wanted {
    /// Whether Kubernetes has it of its own, or users defined it: what is served beside that may be given to another
    /// server for good.
    fn is_builtin(&self) -> bool {
        self.kept == Kept::Always || GROUPS.iter().any(|(name, _)| *name == self.spec.group)
    }

    /// The spec, and the labels, as an object has them.
    pub(super) fn parts(&self) -> (Value, Value) {
        let Spec { group, version, group_priority_minimum, version_priority, .. } = &self.spec;
        let mut spec = json!({
            "version": version,
            "groupPriorityMinimum": group_priority_minimum,
            "versionPriority": version_priority,
        });
        if !group.is_empty() {
            spec["group"] = json!(group);
        }
        (spec, json!({AUTOMANAGED: self.kept.label()}))
    }

    /// The object.
    pub(super) fn object(&self, name: &str) -> Value {
        let (spec, labels) = self.parts();
        json!({
            "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
            "metadata": {"name": name, "labels": labels}, "spec": spec,
        })
    }
}
