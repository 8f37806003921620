//! The program `windlass-proxy`.

use clap::Parser;
use std::process::ExitCode;
use windlass::component::Proxy;

fn main() -> ExitCode {
    windlass::run(async { Proxy::parse().run().await })
}
