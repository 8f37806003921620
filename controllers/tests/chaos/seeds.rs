//! Which seeds are played.

use crate::world::World;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// So many when nobody asks for more.
const USUAL: u64 = 6;

/// Plays a scene with each seed, in a runtime of its own. A seed that fails says how to play it again.
pub(crate) fn play(name: &str, controllers: &'static [&'static str], scene: impl AsyncFn(&World)) {
    for seed in seeds() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        let played = catch_unwind(AssertUnwindSafe(|| {
            runtime.block_on(async {
                let world = World::open(seed, controllers).await;
                scene(&world).await;
                world.close();
            });
        }));
        if let Err(panic) = played {
            eprintln!(
                "repeat: CHAOS_SEED={seed} cargo test -p windlass-controllers --test chaos {name}"
            );
            resume_unwind(panic);
        }
    }
}

fn seeds() -> std::ops::Range<u64> {
    let number =
        |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    match number("CHAOS_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("CHAOS_SEEDS").unwrap_or(USUAL),
    }
}
