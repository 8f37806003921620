//! The disk alone.

use clap::Args;
use rustix::fs::FallocateFlags;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use windlass_benches::Result;

/// Bytes of a write.
const WRITE: usize = 1024;

#[derive(Args)]
pub(crate) struct Options {
    /// A directory on the disk
    dir: PathBuf,
    /// How many writes, one after the other
    #[arg(long, default_value_t = 2000)]
    writes: usize,
}

/// One client without a store: writes to space that is there already, each synced before the next.
pub(crate) fn run(options: &Options) -> Result<()> {
    let path = options.dir.join(format!("disk-{}", std::process::id()));
    let times = measure(&path, options.writes);
    std::fs::remove_file(&path)?;
    let mut times = times?;
    let total: Duration = times.iter().sum();
    times.sort_unstable();
    println!(
        "syncs {} per_s {:.0} p50_us {:.1} p99_us {:.1}",
        times.len(),
        times.len() as f64 / total.as_secs_f64(),
        times[times.len() / 2].as_secs_f64() * 1e6,
        times[times.len() * 99 / 100].as_secs_f64() * 1e6,
    );
    Ok(())
}

fn measure(path: &std::path::Path, writes: usize) -> Result<Vec<Duration>> {
    let file = File::create(path)?;
    rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, (writes * WRITE) as u64)?;
    file.sync_all()?;
    let mut times = Vec::with_capacity(writes);
    for number in 0..writes {
        let start = Instant::now();
        file.write_all_at(&[b'x'; WRITE], (number * WRITE) as u64)?;
        file.sync_data()?;
        times.push(start.elapsed());
    }
    Ok(times)
}
