//! The program `windlass-store`.

use clap::Parser;
use std::process::ExitCode;
use windlass::component::Store;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    windlass::run(async { Store::parse().run().await })
}
