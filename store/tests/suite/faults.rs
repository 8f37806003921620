//! A disk that stops, refuses or forgets at any operation, and what a store makes of it.
//!
//! By default a sample of the operations of a run is tried, another one for each seed. Environment:
//! `WINDLASS_STORE_SEED` names the seed, `WINDLASS_STORE_FAULTS=all` tries every operation.

mod check;
mod copies;
mod crash;
mod disk;
mod errors;
mod flips;
mod history;
mod leases;
mod model;
mod workload;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::path::Path;
use windlass_store::EmbeddedOptions;

/// How many operations of a run are tried by default.
const SAMPLE: usize = 12;

/// The seed of this run of the tests.
fn seed() -> u64 {
    std::env::var("WINDLASS_STORE_SEED").map_or(1, |seed| seed.parse().unwrap())
}

/// A generator for one place of a test: the same for the same seed.
fn rng(place: usize) -> SmallRng {
    SmallRng::seed_from_u64(seed() ^ ((place as u64) << 32))
}

/// Which of the operations, or bytes, `1..=count` are tried.
fn sample(count: usize) -> Vec<usize> {
    if std::env::var("WINDLASS_STORE_FAULTS").is_ok_and(|which| which == "all") {
        return (1..=count).collect();
    }
    let mut rng = rng(0);
    let stride = (count / SAMPLE).max(1);
    (1..=count).step_by(stride).map(|at| (at + rng.random_range(0..stride)).min(count)).collect()
}

/// Files so small that a run of a few dozen commits seals several and takes several snapshots.
fn tiny(dir: &Path) -> EmbeddedOptions {
    let options = EmbeddedOptions::new(dir);
    EmbeddedOptions { segment_bytes: 1500, snapshot_after_bytes: 3000, ..options }
}
