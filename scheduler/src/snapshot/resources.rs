//! Resources by number, amounts as integers: CPU in thousandths, all others in units.

use parking_lot::RwLock;
use smallvec::SmallVec;
use windlass_core::meta::{Quantity, Str, intern};

/// The number of a resource: the place of its column.
pub type ResourceId = u16;

/// Amounts, at most one of each resource.
pub type Resources = SmallVec<[(ResourceId, i64); 4]>;

/// CPU, in thousandths of a core.
pub const CPU: ResourceId = 0;
/// Memory, in bytes.
pub const MEMORY: ResourceId = 1;
/// Local storage, in bytes.
pub const EPHEMERAL_STORAGE: ResourceId = 2;
/// Number of pods.
pub const PODS: ResourceId = 3;

/// Stands for all resources beyond the first [`MAX_EXTENDED`]: no node has any, so who asks for one waits.
pub(crate) const UNKNOWN: ResourceId = ResourceId::MAX;

/// Names come from users, and each costs a column: there is an end to it.
const MAX_EXTENDED: usize = 1024;
/// Amounts are capped here (9 PB, or 9 million million cores), so that sums stay sums.
const MAX_AMOUNT: i64 = 1 << 53;

const BUILT_IN: [&str; 4] = ["cpu", "memory", "ephemeral-storage", "pods"];

// Further resources (GPUs, huge pages): few, and numbered once for the life of the process.
static EXTENDED: RwLock<Vec<Str>> = RwLock::new(Vec::new());

/// The amounts by number.
pub(crate) fn resource_amounts(amounts: impl IntoIterator<Item = (String, Quantity)>) -> Resources {
    let one = |(name, amount): (String, Quantity)| {
        let id = id(&name);
        let amount = if id == CPU { amount.milli() } else { amount.units() };
        (id, amount.clamp(0, MAX_AMOUNT))
    };
    amounts.into_iter().map(one).collect()
}

/// The name of a resource.
pub(crate) fn name(id: ResourceId) -> Str {
    match BUILT_IN.get(id as usize) {
        Some(name) => intern(name),
        None if id == UNKNOWN => intern("resources that no node has"),
        None => EXTENDED.read()[id as usize - BUILT_IN.len()].clone(),
    }
}

fn id(name: &str) -> ResourceId {
    if let Some(id) = BUILT_IN.iter().position(|built_in| *built_in == name) {
        return id as ResourceId;
    }
    let find = |names: &[Str]| names.iter().position(|known| &**known == name);
    // Looked for again under the write lock: another thread may have been faster.
    let at = find(&EXTENDED.read());
    let at = at.or_else(|| {
        let mut names = EXTENDED.write();
        find(&names).or_else(|| {
            let room = names.len() < MAX_EXTENDED;
            room.then(|| names.push(intern(name))).map(|()| names.len() - 1)
        })
    });
    at.map_or(UNKNOWN, |at| (BUILT_IN.len() + at) as ResourceId)
}
