//! `windlass-scheduler`

use super::remote::Remote;
use clap::Parser;
use std::net::SocketAddr;
use windlass_core::component::BoxError;

/// The scheduler
#[derive(Parser)]
#[command(
    version,
    after_help = "Examples:\n  windlass-scheduler --kubeconfig scheduler.kubeconfig"
)]
pub struct Scheduler {
    #[command(flatten)]
    remote: Remote,
    /// Where `/healthz` answers
    #[arg(long, default_value = "127.0.0.1:10251", value_name = "ADDR:PORT")]
    health_address: SocketAddr,
}

impl Scheduler {
    /// Runs until SIGTERM or Ctrl-C.
    ///
    /// # Errors
    /// What is wrong, in one line.
    pub async fn run(self) -> Result<(), BoxError> {
        let connected = self.remote.connect().await?;
        let recorder = connected.recorder("default-scheduler", "");
        let (informers, env) = (connected.informers.clone(), connected.env.clone());
        let scheduler = windlass_scheduler::Scheduler::builder(informers, recorder, env).build();
        connected.run(vec![Box::new(scheduler)], Some(self.health_address)).await
    }
}
