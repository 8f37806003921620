//! The shim as a program of its own, for hosts whose `main` is not theirs to change (tests).

use std::process::ExitCode;

fn main() -> ExitCode {
    windlass_agent::runtime::oci::shim_main_if_asked();
    eprintln!("windlass-oci-shim is started by the agent only");
    ExitCode::FAILURE
}
