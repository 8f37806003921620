//! The program `windlass-apiserver`.

use clap::Parser;
use std::process::ExitCode;
use windlass::component::ApiServer;

fn main() -> ExitCode {
    windlass::run(async { ApiServer::parse().run().await })
}
