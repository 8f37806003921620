//! What all programs do around their work.

use std::future::Future;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;
use windlass_core::component::BoxError;

/// Runs a program: a runtime, a log on standard error (`WINDLASS_LOG=debug` for more), one line for an error.
pub fn run(work: impl Future<Output = Result<(), BoxError>>) -> ExitCode {
    let filter = EnvFilter::try_from_env("WINDLASS_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    match runtime.block_on(work) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&*error),
    }
}

fn failed(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::FAILURE
}
