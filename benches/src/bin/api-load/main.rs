//! Load for an API server: one that runs, over TLS and HTTP/2, or one in this process.
//! Each command prints one line of names and figures a measurement. `benches/api-load.sh` runs them all.

mod create;
mod get;
mod hold;
mod list;
mod requests;
mod serve;
mod target;
mod watch;

use clap::Parser;
use windlass_benches::Result;

/// Load for an API server.
#[derive(Parser)]
enum Command {
    /// A server to load from another process
    Serve(serve::Options),
    /// Creates of ConfigMaps of 1 KiB by concurrent clients
    Create(create::Options),
    /// Reads of single objects by concurrent clients
    Get(get::Options),
    /// Lists of many pods, as JSON, compressed, and as protobuf
    List(list::Options),
    /// Creates at a steady rate while many watch
    Watch(watch::Options),
    /// Many running pods, with controllers and scheduler in the same process
    Hold(hold::Options),
}

/// As the programs have it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<()> {
    let command = Command::parse();
    // As many threads as the machine has cores, as the server has.
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        match command {
            Command::Serve(options) => serve::run(options).await,
            Command::Create(options) => create::run(options).await,
            Command::Get(options) => get::run(options).await,
            Command::List(options) => list::run(options).await,
            Command::Watch(options) => watch::run(options).await,
            Command::Hold(options) => hold::run(options).await,
        }
    })
}
