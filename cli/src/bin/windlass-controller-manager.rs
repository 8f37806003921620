//! The program `windlass-controller-manager`.

use clap::Parser;
use std::process::ExitCode;
use windlass::component::ControllerManager;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    windlass::run(async { ControllerManager::parse().run().await })
}
