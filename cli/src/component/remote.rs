//! What components that speak to a server over the network have in common.

use clap::Args;
use futures::future::join_all;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};
use windlass_core::cache::InformerFactory;
use windlass_core::client::Client;
use windlass_core::client::remote::RemoteClient;
use windlass_core::clock::Env;
use windlass_core::component::{BoxError, Component, Ready, Shutdown};
use windlass_core::events::Recorder;

/// The server, and where to say how one is.
#[derive(Args)]
pub(super) struct Remote {
    /// Kubeconfig with the server and the credentials of this component
    #[arg(long)]
    kubeconfig: PathBuf,
}

/// A component's surroundings.
pub(super) struct Connected {
    pub(super) client: Arc<dyn Client>,
    pub(super) informers: InformerFactory,
    pub(super) env: Env,
    pub(super) shutdown: Shutdown,
}

impl Remote {
    pub(super) async fn connect(&self) -> Result<Connected, BoxError> {
        let client: Arc<dyn Client> =
            Arc::new(RemoteClient::from_kubeconfig(&self.kubeconfig).await?);
        let shutdown = Shutdown::new();
        let informers = InformerFactory::new(client.clone(), shutdown.clone());
        Ok(Connected { client, informers, env: Env::system(), shutdown })
    }
}

impl Connected {
    pub(super) fn recorder(&self, component: &str, host: &str) -> Recorder {
        Recorder::new(self.client.clone(), self.env.clone(), component, host, self.shutdown.clone())
    }

    /// Runs components until SIGTERM or Ctrl-C, or until one fails. `/healthz` answers on `health`, if given.
    pub(super) async fn run(
        self,
        components: Vec<Box<dyn Component>>,
        health: Option<SocketAddr>,
    ) -> Result<(), BoxError> {
        let (mut term, mut int) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let readies: Vec<Ready> = components.iter().map(|_| Ready::default()).collect();
        let mut running = Vec::new();
        for (component, ready) in components.into_iter().zip(readies.clone()) {
            running.push(component.run(ready, self.shutdown.clone()));
        }
        let health = match health {
            Some(address) => {
                let listener = tokio::net::TcpListener::bind(address).await;
                let listener = listener.map_err(|e| format!("can't listen on {address}: {e}"))?;
                Some(super::health::serve(listener, readies, self.shutdown.clone()))
            }
            None => None,
        };
        let stop = async {
            tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
            self.shutdown.cancel();
            std::future::pending::<()>().await;
        };
        let health = async {
            if let Some(health) = health {
                health.await
            }
        };
        let all = async {
            for ended in join_all(running).await {
                ended?;
            }
            Ok(())
        };
        tokio::select! {
            ended = all => ended,
            () = stop => Ok(()),
            () = async { health.await; std::future::pending().await } => Ok(()),
        }
    }
}
