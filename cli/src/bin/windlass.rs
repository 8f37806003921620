//! The program `windlass`.

use clap::Parser;
use std::process::ExitCode;
use windlass::verbs::Program;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    windlass_agent::runtime::oci::shim_main_if_asked();
    windlass::run(async { Program::parse().run().await })
}
