//! Load for the scheduler: pods on nodes that are objects only, through the API and the store, or in a simulation.
//! Each command prints one line of names and figures a measurement. `benches/scheduler-load.sh` runs them all.

mod bound;
mod create;
mod place;
mod scene;
mod simulate;

use clap::Parser;
use windlass_benches::Result;
use windlass_benches::workload::Workload;

/// Load for the scheduler.
#[derive(Parser)]
enum Command {
    /// The names of the workloads
    Workloads,
    /// Pods that are created over TLS, kept in a durable store, bound, and seen by a watcher
    Place(Box<place::Options>),
    /// Many pods on many nodes by what-if alone
    Simulate(simulate::Options),
}

/// As the programs have it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<()> {
    match Command::parse() {
        Command::Workloads => {
            Workload::all().iter().for_each(|workload| println!("{}", workload.name));
            Ok(())
        }
        // As many threads as the machine has cores, as the servers have.
        Command::Place(options) => tokio::runtime::Runtime::new()?.block_on(place::run(*options)),
        Command::Simulate(options) => simulate::run(&options),
    }
}
