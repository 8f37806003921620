//! `windlass-scheduler`

use super::election::Election;
use super::remote::{Connected, Remote};
use clap::Parser;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use windlass_core::client::Client;
use windlass_core::component::{BoxError, Component};
use windlass_scheduler::Extenders;
use windlass_scheduler::config::Configuration;

/// The scheduler
#[derive(Parser)]
#[command(
    version,
    after_help = "Examples:\n  windlass-scheduler --kubeconfig scheduler.kubeconfig\n  windlass-scheduler --kubeconfig scheduler.kubeconfig --config scheduler.yaml"
)]
pub struct Scheduler {
    #[command(flatten)]
    remote: Remote,
    /// A KubeSchedulerConfiguration (kubescheduler.config.k8s.io/v1): profiles, plugins and their arguments
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
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
        let configuration = match &self.config {
            Some(path) => Some(read(path)?),
            None => None,
        };
        let connected = self.remote.connect().await?;
        let profiles = |client: Arc<dyn Client>| {
            let registry = crate::devices::registry();
            match &configuration {
                Some(configuration) => configuration.profiles(&registry, Some(client)),
                None => Ok(registry.default_profile(Some(client)).into()),
            }
        };
        profiles(connected.client.clone())?;
        let extenders = configuration.as_ref().map_or(&[][..], Configuration::extenders);
        let extenders = Extenders::new(extenders).await?;
        let make = async |connected: &Connected| {
            let recorder = connected.recorder("default-scheduler", "");
            let (informers, env) = (connected.informers.clone(), connected.env.clone());
            let mut builder = windlass_scheduler::Scheduler::builder(informers, recorder, env);
            let profiles = profiles(connected.client.clone()).expect("checked before");
            builder = builder.profiles(profiles).extenders(extenders.clone());
            if let Some((first, max)) = configuration.as_ref().map(Configuration::backoff) {
                builder = builder.backoff(first, max);
            }
            let scheduler: Box<dyn Component> = Box::new(builder.build());
            vec![scheduler]
        };
        self.election.run(connected, "kube-scheduler", self.health_address, make).await
    }
}

/// A configuration; errors name the file.
pub(crate) fn read(path: &Path) -> Result<Configuration, BoxError> {
    let named = |error: BoxError| format!("{}: {error}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| named(error.into()))?;
    let content = yaml_serde::from_str(&text).map_err(|error| named(error.into()))?;
    Ok(Configuration::new(content).map_err(|error| named(error.into()))?)
}
