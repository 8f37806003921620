//! Which devices a container gets: a pure decision.

use super::checkpoint::Allocation;
use std::collections::{BTreeMap, BTreeSet};

/// What is wanted, and by whom.
pub(super) struct Wanted<'a> {
    pub(super) pod: &'a str,
    pub(super) container: &'a str,
    pub(super) resource: &'a str,
    pub(super) count: usize,
    /// Containers of the pod that have ended when this one starts: what they had it may have.
    pub(super) before: &'a [String],
}

/// What it gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// What it has already.
    Same(Allocation),
    /// So many of those that are free, and all those it must have.
    Free {
        must: Vec<String>,
        /// The others among which to choose.
        free: Vec<String>,
    },
}

/// Chooses among devices, of which each works or not. `given` is what containers have.
pub(super) fn choose(
    wanted: &Wanted<'_>,
    devices: &BTreeMap<String, bool>,
    given: &[Allocation],
) -> Result<Choice, String> {
    let of_resource = || given.iter().filter(|one| one.resource == wanted.resource);
    let own = |one: &&Allocation| one.pod == wanted.pod && one.container == wanted.container;
    if let Some(same) = of_resource().find(own) {
        let count = same.ids.len();
        return match count == wanted.count {
            true => Ok(Choice::Same(same.clone())),
            false => Err(format!(
                "pod \"{}\" container \"{}\" changed request for resource {:?} from {count} to {}",
                wanted.pod, wanted.container, wanted.resource, wanted.count
            )),
        };
    }
    let before =
        |one: &&Allocation| one.pod == wanted.pod && wanted.before.contains(&one.container);
    let works = |id: &&String| devices.get(*id) == Some(&true);
    let handed: BTreeSet<&String> =
        of_resource().filter(before).flat_map(|one| &one.ids).filter(works).collect();
    let must: Vec<String> = handed.into_iter().take(wanted.count).cloned().collect();
    let taken: BTreeSet<&String> = of_resource().flat_map(|one| &one.ids).collect();
    let free: Vec<String> =
        devices.keys().filter(works).filter(|id| !taken.contains(id)).cloned().collect();
    if must.len() + free.len() < wanted.count {
        return Err(format!(
            "requested number of devices unavailable for {}. Requested: {}, Available: {}",
            wanted.resource,
            wanted.count,
            must.len() + free.len()
        ));
    }
    Ok(Choice::Free { must, free })
}
