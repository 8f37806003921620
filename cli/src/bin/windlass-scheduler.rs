//! The program `windlass-scheduler`.

use clap::Parser;
use std::process::ExitCode;
use windlass::component::Scheduler;

fn main() -> ExitCode {
    windlass::run(async { Scheduler::parse().run().await })
}
