//! Load for a store, over gRPC (etcd's or this project's server) or in this process.
//! Each command prints one line of names and figures. `benches/store-vs-etcd.sh` puts them side by side.

mod disk;
mod fill;
mod put;
mod range;
mod serve;
mod session;
mod target;
mod watch;

use clap::Parser;
use windlass_benches::Result;

/// Load for a store.
#[derive(Parser)]
enum Command {
    /// Durable puts of new keys by concurrent clients
    Put(put::Options),
    /// Puts at a steady rate while many watch
    Watch(watch::Options),
    /// Puts many keys, many in a transaction
    Fill(fill::Options),
    /// Opens or reaches a store, and reads ranges of it
    Range(range::Options),
    /// Serves a store until it is told to end
    Serve(serve::Options),
    /// What syncing a write costs on the disk of a directory
    Disk(disk::Options),
}

/// As the programs have it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<()> {
    let command = Command::parse();
    // As many threads as the machine has cores, as the servers have.
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        match command {
            Command::Put(options) => put::run(options).await,
            Command::Watch(options) => watch::run(options).await,
            Command::Fill(options) => fill::run(options).await,
            Command::Range(options) => range::run(options).await,
            Command::Serve(options) => serve::run(options).await,
            Command::Disk(options) => disk::run(&options),
        }
    })
}
