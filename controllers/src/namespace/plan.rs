//! What is said of a namespace that goes.

use crate::support::time::time;
use jiff::Timestamp;
use std::collections::BTreeMap;
use windlass_core::apis::core::v1::{Namespace, NamespaceCondition};

/// What a namespace waits for while it has contents.
pub(super) const FINALIZER: &str = "kubernetes";

/// What is left in a namespace.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Remains {
    /// Number of objects by resource (`deployments.apps`).
    pub(super) objects: BTreeMap<String, usize>,
    /// Number of objects by finalizer they wait for.
    pub(super) finalizers: BTreeMap<String, usize>,
    /// What could not be deleted, and why.
    pub(super) failures: Vec<String>,
    /// Group versions whose server does not say what it serves, and why: there may be more of them.
    pub(super) undiscovered: Vec<String>,
}

impl Remains {
    pub(super) fn is_empty(&self) -> bool {
        !self.has_more() && self.undiscovered.is_empty()
    }

    /// There is something left of the kinds that are known.
    pub(super) fn has_more(&self) -> bool {
        !self.objects.is_empty() || !self.failures.is_empty()
    }
}

/// The conditions that tell what is left.
pub(super) fn conditions(
    namespace: &Namespace,
    remains: &Remains,
    now: Timestamp,
) -> Vec<NamespaceCondition> {
    let before =
        namespace.status.as_ref().and_then(|status| status.conditions.clone()).unwrap_or_default();
    let mut conditions = before;
    for (kind, bad, reason, message) in facts(remains) {
        let status = if bad { "True" } else { "False" };
        let new = NamespaceCondition {
            type_: kind.into(),
            status: status.into(),
            reason: Some(reason.into()),
            message: Some(message),
            last_transition_time: Some(time(now)),
        };
        match conditions.iter_mut().find(|condition| condition.type_ == kind) {
            Some(old) if old.status == status && old.message == new.message => {}
            Some(old) => *old = new,
            None => conditions.push(new),
        }
    }
    conditions
}

/// Type of condition, whether it is bad, reason, message.
type Fact = (&'static str, bool, &'static str, String);

fn facts(remains: &Remains) -> [Fact; 5] {
    [
        discovered(&remains.undiscovered),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            false,
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed".into(),
        ),
        failed(&remains.failures),
        left(&remains.objects),
        waiting(&remains.finalizers),
    ]
}

fn discovered(undiscovered: &[String]) -> Fact {
    let kind = "NamespaceDeletionDiscoveryFailure";
    if undiscovered.is_empty() {
        let message = "All resources successfully discovered".into();
        return (kind, false, "ResourcesDiscovered", message);
    }
    let message = format!(
        "Discovery failed for some groups, {} failing: unable to retrieve the complete list of server APIs: {}",
        undiscovered.len(),
        undiscovered.join(", ")
    );
    (kind, true, "DiscoveryFailed", message)
}

fn failed(failures: &[String]) -> Fact {
    let kind = "NamespaceDeletionContentFailure";
    if failures.is_empty() {
        return (
            kind,
            false,
            "ContentDeleted",
            "All content successfully deleted, may be waiting on finalization".into(),
        );
    }
    (
        kind,
        true,
        "ContentDeletionFailed",
        format!(
            "Failed to delete all resource types, {} remaining: {}",
            failures.len(),
            failures.join(", ")
        ),
    )
}

fn left(objects: &BTreeMap<String, usize>) -> Fact {
    let kind = "NamespaceContentRemaining";
    if objects.is_empty() {
        return (kind, false, "ContentRemoved", "All content successfully removed".into());
    }
    let list: Vec<_> = objects
        .iter()
        .map(|(name, count)| format!("{name} has {count} resource instances"))
        .collect();
    (
        kind,
        true,
        "SomeResourcesRemain",
        format!("Some resources are remaining: {}", list.join(", ")),
    )
}

fn waiting(finalizers: &BTreeMap<String, usize>) -> Fact {
    let kind = "NamespaceFinalizersRemaining";
    if finalizers.is_empty() {
        return (
            kind,
            false,
            "ContentHasNoFinalizers",
            "All content-preserving finalizers finished".into(),
        );
    }
    let list: Vec<_> = finalizers
        .iter()
        .map(|(name, count)| format!("{name} in {count} resource instances"))
        .collect();
    (
        kind,
        true,
        "SomeFinalizersRemain",
        format!("Some content in the namespace has finalizers remaining: {}", list.join(", ")),
    )
}
