//! The verbs of the program `windlass`, a file each.

mod apply;
mod connect;
mod delete;
mod get;
mod image;
mod kubeconfig;
mod logs;
mod manifest;
mod proxy;
mod resource;
mod schedule;
mod up;

use clap::{Parser, Subcommand};
use windlass_core::component::BoxError;

/// Kubernetes' architecture, small: a cluster in one process, and a client for any cluster.
#[derive(Parser)]
#[command(
    name = "windlass",
    version,
    after_help = "Examples:
  windlass up                                   start a cluster here, Ctrl-C stops it
  windlass image import busybox.tar             bring an image onto the node
  windlass apply -f app.yaml                    make objects, or change them
  windlass get pods -A                          list objects of all namespaces
  windlass schedule --what-if -f app.yaml       where would its pods go, and why"
)]
pub struct Program {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    Up(Box<up::Up>),
    Image(image::Image),
    Kubeconfig(kubeconfig::KubeconfigFor),
    Get(get::Get),
    Apply(apply::Apply),
    Delete(delete::Delete),
    Logs(logs::Logs),
    Proxy(proxy::Proxy),
    Schedule(schedule::Schedule),
}

impl Program {
    /// Does what the command line says.
    ///
    /// # Errors
    /// In one line, with what to do about it.
    pub async fn run(self) -> Result<(), BoxError> {
        match self.verb {
            Verb::Up(verb) => verb.run().await,
            Verb::Image(verb) => verb.run().await,
            Verb::Kubeconfig(verb) => verb.run(),
            Verb::Get(verb) => verb.run().await,
            Verb::Apply(verb) => verb.run().await,
            Verb::Delete(verb) => verb.run().await,
            Verb::Logs(verb) => verb.run().await,
            Verb::Proxy(verb) => verb.run().await,
            Verb::Schedule(verb) => verb.run().await,
        }
    }
}
