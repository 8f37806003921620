//! The program `windlass-scheduler`.

use clap::Parser;
use std::process::ExitCode;
use windlass::component::Scheduler;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    windlass::run(async { Scheduler::parse().run().await })
}
