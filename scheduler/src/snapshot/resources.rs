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

const BUILT_IN: [&str; 4] = ["cpu", "memory", "ephemeral-storage", "pods"];

// Further resources (GPUs, huge pages): few, and numbered once for the life of the process.
static EXTENDED: RwLock<Vec<Str>> = RwLock::new(Vec::new());

/// The amounts by number.
pub(crate) fn resource_amounts(amounts: impl IntoIterator<Item = (String, Quantity)>) -> Resources {
    let one = |(name, amount): (String, Quantity)| {
        let id = id(&name);
        (id, if id == CPU { amount.milli() } else { amount.units() })
    };
    amounts.into_iter().map(one).collect()
}

/// The name of a resource.
pub(crate) fn name(id: ResourceId) -> Str {
    match BUILT_IN.get(id as usize) {
        Some(name) => intern(name),
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
    let at = at.unwrap_or_else(|| {
        let mut names = EXTENDED.write();
        find(&names).unwrap_or_else(|| {
            names.push(intern(name));
            names.len() - 1
        })
    });
    (BUILT_IN.len() + at) as ResourceId
}
