//! The program `windlass-apiserver`.

use clap::Parser;
use std::process::ExitCode;
use windlass::component::ApiServer;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    windlass::run(async { ApiServer::parse().run().await })
}
