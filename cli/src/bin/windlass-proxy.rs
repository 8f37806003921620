//! The program `windlass-proxy`.

use clap::Parser;
use std::process::ExitCode;
use windlass::component::Proxy;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    windlass::run(async { Proxy::parse().run().await })
}
