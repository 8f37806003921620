//! From old pods to new ones: an old one goes first, or with `maxSurge` a new one comes first.

use super::plan::{Place, Snapshot, is_available, is_new, spec};
use crate::support::intstr::{Round, scaled};
use crate::support::pods::created;
use crate::views::Pod;
use windlass_core::apis::IntOrString;
use windlass_core::apis::apps::v1::DaemonSetUpdateStrategy;

/// What an update does now.
#[derive(Debug, Default)]
pub(super) struct Roll<'a> {
    /// Nodes that get a new pod beside the old one.
    pub(super) create: Vec<&'a str>,
    /// Old pods that go.
    pub(super) delete: Vec<Pod>,
}

/// The two sides of an update on one node: the oldest of each.
struct Sides<'a> {
    old: Option<&'a Pod>,
    new: Option<&'a Pod>,
}

/// Pods that are too many on a node: all but the oldest; while an update makes new ones first, all but the oldest of
/// each side.
pub(super) fn surplus(at: &Snapshot<'_>, alive: &[&Pod]) -> Vec<Pod> {
    let active: Vec<&Pod> = in_order(alive);
    let sides = sides(at, &active);
    let keep = |pod: &&&Pod| match surge(at) {
        0 => std::ptr::eq(**pod, active[0]),
        _ => [sides.old, sides.new].into_iter().flatten().any(|kept| std::ptr::eq(kept, **pod)),
    };
    active.iter().filter(|pod| !keep(pod)).map(|pod| (**pod).clone()).collect()
}

/// The next step of an update.
pub(super) fn roll<'a>(at: &Snapshot<'_>, places: &[Place<'a>]) -> Roll<'a> {
    let kind = strategy(at).and_then(|strategy| strategy.type_.as_deref());
    match (kind, surge(at)) {
        (Some("OnDelete"), _) => Roll::default(),
        (_, 0) => Roll { create: vec![], delete: old_first(at, places) },
        _ => new_first(at, places),
    }
}

/// Pods of other revisions, so many that no more nodes than allowed are without an available pod.
fn old_first(at: &Snapshot<'_>, places: &[Place<'_>]) -> Vec<Pod> {
    let max = strategy(at).and_then(|strategy| strategy.rolling_update.as_ref());
    let max =
        share(max.and_then(|rolling| rolling.max_unavailable.as_ref()), 1, places.len()).max(1);
    let available = |place: &&Place<'_>| place.alive.iter().any(|pod| is_available(at, pod));
    let (well, ill): (Vec<_>, Vec<_>) = places.iter().partition(available);
    let old = |place: &&Place<'_>| {
        let active: Vec<_> = place.alive.iter().filter(|pod| pod.view.is_active()).collect();
        active
            .first()
            .filter(|pod| active.len() == 1 && !is_new(at, pod))
            .map(|pod| (***pod).clone())
    };
    // Those that don't work are replaced at once: nobody loses by it.
    let budget = max.saturating_sub(ill.len());
    let broken = ill.iter().filter_map(&old);
    broken.chain(well.iter().filter_map(old).take(budget)).collect()
}

/// New pods beside old ones, on so many nodes as allowed; old ones go when the new one is available, or when they are of
/// no use.
fn new_first<'a>(at: &Snapshot<'_>, places: &[Place<'a>]) -> Roll<'a> {
    let mut roll = Roll::default();
    let (mut busy, mut waiting) = (0, vec![]);
    for place in places {
        let active = in_order(&place.alive);
        match sides(at, &active) {
            Sides { old: Some(old), new: Some(new) } => {
                if is_available(at, new) || !old.view.is_ready() {
                    roll.delete.push(old.clone());
                } else {
                    busy += 1;
                }
            }
            // A pod that ends holds its place still.
            Sides { old: Some(_), new: None } if place.alive.len() > active.len() => busy += 1,
            Sides { old: Some(old), new: None } if !is_available(at, old) => {
                roll.create.push(place.node);
            }
            Sides { old: Some(_), new: None } => waiting.push(place.node),
            Sides { old: None, .. } => {}
        }
    }
    let budget = surge_of(at, places.len()).saturating_sub(busy);
    roll.create.extend(waiting.into_iter().take(budget));
    roll
}

fn in_order<'a>(alive: &[&'a Pod]) -> Vec<&'a Pod> {
    let mut active: Vec<&Pod> = alive.iter().copied().filter(|pod| pod.view.is_active()).collect();
    active.sort_by_key(|pod| (created(&pod.view), pod.object.name().to_owned()));
    active
}

fn sides<'a>(at: &Snapshot<'_>, active: &[&'a Pod]) -> Sides<'a> {
    let first = |new: bool| active.iter().copied().find(|pod| is_new(at, pod) == new);
    Sides { old: first(false), new: first(true) }
}

fn strategy<'a>(at: &Snapshot<'a>) -> Option<&'a DaemonSetUpdateStrategy> {
    spec(at.set).update_strategy.as_ref()
}

/// How many nodes may have two pods; of so many as the status knows of.
fn surge(at: &Snapshot<'_>) -> usize {
    surge_of(at, at.nodes.len())
}

fn surge_of(at: &Snapshot<'_>, nodes: usize) -> usize {
    let rolling = strategy(at).and_then(|strategy| strategy.rolling_update.as_ref());
    share(rolling.and_then(|rolling| rolling.max_surge.as_ref()), 0, nodes)
}

fn share(given: Option<&IntOrString>, default: i32, nodes: usize) -> usize {
    let given = given.cloned().unwrap_or(IntOrString::Int(default));
    let total = i32::try_from(nodes).unwrap_or(i32::MAX);
    usize::try_from(scaled(&given, total, Round::Up)).unwrap_or(0)
}
