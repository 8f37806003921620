//! Load for the controllers: a whole control plane in this process, in memory, with nodes that only say they run pods.
//! Each command prints one line of names and figures a measurement. `benches/controllers-load.sh` runs them all.

mod deployments;
mod heartbeats;
mod namespace;
mod nodes;
mod rollout;
mod scene;

use clap::Parser;
use windlass_benches::Result;

/// Load for the controllers.
#[derive(Parser)]
enum Command {
    /// Many Deployments, from apply to all pods ready, and then at rest
    Deployments(deployments::Options),
    /// A rolling update of one large Deployment
    Rollout(rollout::Options),
    /// The end of a namespace with many objects
    Namespace(namespace::Options),
    /// The heartbeats of many nodes
    Heartbeats(heartbeats::Options),
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
            Command::Deployments(options) => deployments::run(options).await,
            Command::Rollout(options) => rollout::run(options).await,
            Command::Namespace(options) => namespace::run(options).await,
            Command::Heartbeats(options) => heartbeats::run(options).await,
        }
    })
}
