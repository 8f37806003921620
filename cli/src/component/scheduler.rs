//! `windlass-scheduler`

use super::election::Election;
use super::remote::{Connected, Remote};
use clap::Parser;
use std::net::SocketAddr;
use windlass_core::component::{BoxError, Component};

/// The scheduler
#[derive(Parser)]
#[command(
    version,
    after_help = "Examples:\n  windlass-scheduler --kubeconfig scheduler.kubeconfig"
)]
pub struct Scheduler {
    #[command(flatten)]
    remote: Remote,
    #[command(flatten)]
    election: Election,
    /// Where `/healthz` and `/metrics` answer
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
        let make = async |connected: &Connected| {
            let recorder = connected.recorder("default-scheduler", "");
            let (informers, env) = (connected.informers.clone(), connected.env.clone());
            let scheduler = windlass_scheduler::Scheduler::builder(informers, recorder, env);
            let scheduler: Box<dyn Component> = Box::new(scheduler.build());
            vec![scheduler]
        };
        self.election.run(connected, "kube-scheduler", self.health_address, make).await
    }
}
