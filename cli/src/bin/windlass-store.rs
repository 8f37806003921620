//! The program `windlass-store`.

use clap::Parser;
use std::process::ExitCode;
use windlass::component::Store;

fn main() -> ExitCode {
    windlass::run(async { Store::parse().run().await })
}
