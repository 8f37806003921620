//! What to do about one object.

use super::graph::{Dependent, FOREGROUND, Node, ORPHAN};
use std::time::Duration;
use windlass_core::client::Propagation;
use windlass_core::object::{Header, Owner};

/// So long Kubernetes' collector waits for kinds that can't be listed, too.
const PATIENCE: Duration = Duration::from_secs(30);

/// How it is with an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OwnerState {
    /// It is there and stays, or goes by itself.
    Solid,
    /// It is gone.
    Gone,
    /// It waits for its dependents to go.
    Waiting,
}

/// What to do with an object that goes and has a finalizer of the collector's.
#[derive(Debug, PartialEq)]
pub(super) enum EndStep {
    /// Take it from its dependents, then let it go: remove the finalizer.
    Orphan(Vec<Dependent>),
    /// Have its dependents looked at: they have to go.
    Wait(Vec<Dependent>),
    /// Nothing blocks it: remove the finalizer.
    Release,
    /// Not the collector's business.
    Nothing,
}

/// What to do with an object that has owners.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// Someone needs it.
    Keep,
    /// Someone needs it, but not these.
    Strip(Vec<Box<str>>),
    /// Nobody needs it.
    Delete(Propagation),
}

/// How long the end of an object waits for kinds whose objects are not known yet. Dependents that were overlooked lose
/// nothing when they only go later, but all when they should have stayed.
pub(super) fn patience(node: &Node) -> Duration {
    if node.orphaning { Duration::MAX } else { PATIENCE }
}

/// For an object that goes.
pub(super) fn end(node: &Node, dependents: Vec<Dependent>) -> EndStep {
    if node.orphaning {
        return EndStep::Orphan(dependents);
    }
    if !node.foreground {
        return EndStep::Nothing;
    }
    if dependents.iter().any(|dependent| dependent.blocks) {
        EndStep::Wait(dependents)
    } else {
        EndStep::Release
    }
}

/// For an object that stays, as the server has it now, with the state of each of its owners.
pub(super) fn step(header: &Header, owners: &[(Owner, OwnerState)], has_dependents: bool) -> Step {
    let in_state = |state: OwnerState| owners.iter().any(|(_, found)| *found == state);
    if owners.is_empty() || header.deleting {
        return Step::Keep;
    }
    if in_state(OwnerState::Solid) {
        let others = owners.iter().filter(|(_, state)| *state != OwnerState::Solid);
        let others: Vec<_> = others.map(|(owner, _)| owner.uid.clone()).collect();
        return if others.is_empty() { Step::Keep } else { Step::Strip(others) };
    }
    if in_state(OwnerState::Waiting) && has_dependents {
        return Step::Delete(Propagation::Foreground);
    }
    let wants = |finalizer: &str| header.finalizers.iter().any(|found| **found == *finalizer);
    Step::Delete(match () {
        () if wants(ORPHAN) => Propagation::Orphan,
        () if wants(FOREGROUND) => Propagation::Foreground,
        () => Propagation::Background,
    })
}
