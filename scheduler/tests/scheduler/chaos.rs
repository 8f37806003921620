//! Random runs: nodes vanish and fall silent, requests fail, answers get lost, watches break, the scheduler itself is
//! replaced; and no node takes more than it has, gangs are whole, pods are spread, none is lost.
//!
//! Everything follows from a seed, in virtual time. `SCHEDULER_SEEDS=500` plays more of them, `SCHEDULER_SEED=7` one alone.

mod ledger;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use world::World;

/// So many when nobody asks for more.
const USUAL: u64 = 6;

fn seeds() -> std::ops::Range<u64> {
    let number =
        |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    match number("SCHEDULER_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SCHEDULER_SEEDS").unwrap_or(USUAL),
    }
}

#[test]
fn whatever_fails_the_promises_are_kept() {
    for seed in seeds() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .expect("a runtime");
        let played = catch_unwind(AssertUnwindSafe(|| runtime.block_on(play(seed))));
        if let Err(panic) = played {
            eprintln!(
                "repeat: SCHEDULER_SEED={seed} cargo test -p windlass-scheduler --test scheduler chaos"
            );
            resume_unwind(panic);
        }
    }
}

async fn play(seed: u64) {
    let mut world = World::open(seed).await;
    for _ in 0..80 {
        world.step().await;
    }
    world.peace().await;
    world.all_placed().await;
    world.check().await;
}
