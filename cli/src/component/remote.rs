//! What components that speak to a server over the network have in common.

use crate::standalone::Farewell;
use clap::Args;
use parking_lot::Mutex;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use windlass_core::cache::InformerFactory;
use windlass_core::client::remote::RemoteClient;
use windlass_core::client::{Client, Discovery};
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
    /// None when another part of the process made the client.
    pub(super) discovery: Option<Arc<dyn Discovery>>,
    pub(super) informers: InformerFactory,
    pub(super) env: Env,
    pub(super) shutdown: Shutdown,
    /// What SIGTERM asks for first.
    pub(super) farewell: Option<Farewell>,
}

impl Remote {
    pub(super) async fn connect(&self) -> Result<Connected, BoxError> {
        let client = Arc::new(RemoteClient::from_kubeconfig(&self.kubeconfig).await?);
        let connected = Connected::by(client.clone(), Env::system());
        Ok(Connected { discovery: Some(client), ..connected })
    }

    pub(super) fn path(&self) -> &Path {
        &self.kubeconfig
    }
}

/// How far components are. Before they are started there is nothing to wait for: who stands by is ready.
#[derive(Clone, Default)]
pub(super) struct Standing(Arc<Mutex<Vec<Ready>>>);

// === impl Standing ===

impl Standing {
    pub(super) fn is_ready(&self) -> bool {
        self.0.lock().iter().all(Ready::is_set)
    }

    /// Runs components until shutdown, or until one fails, each on its own.
    pub(super) async fn run(
        &self,
        components: Vec<Box<dyn Component>>,
        shutdown: Shutdown,
    ) -> Result<(), BoxError> {
        let mut running = JoinSet::new();
        for component in components {
            let ready = Ready::default();
            self.0.lock().push(ready.clone());
            running.spawn(component.run(ready, shutdown.clone()));
        }
        while let Some(ended) = running.join_next().await {
            ended??;
        }
        Ok(())
    }
}

// === impl Connected ===

impl Connected {
    /// The surroundings of a component that has its client.
    pub(super) fn by(client: Arc<dyn Client>, env: Env) -> Self {
        let shutdown = Shutdown::new();
        let informers = InformerFactory::new(client.clone(), shutdown.clone());
        Self { client, discovery: None, informers, env, shutdown, farewell: None }
    }

    pub(super) fn recorder(&self, component: &str, host: &str) -> Recorder {
        Recorder::new(self.client.clone(), self.env.clone(), component, host, self.shutdown.clone())
    }

    /// The same through another client.
    pub(super) fn through(&self, client: Arc<dyn Client>) -> Self {
        let informers = InformerFactory::new(client.clone(), self.shutdown.clone());
        let (discovery, env) = (self.discovery.clone(), self.env.clone());
        let (shutdown, farewell) = (self.shutdown.clone(), self.farewell.clone());
        Self { client, discovery, informers, env, shutdown, farewell }
    }

    /// Runs components until SIGTERM or Ctrl-C, or until one fails. `/healthz` answers on `health`, if given.
    pub(super) async fn run(
        self,
        components: Vec<Box<dyn Component>>,
        health: Option<SocketAddr>,
    ) -> Result<(), BoxError> {
        let standing = Standing::default();
        let work = standing.run(components, self.shutdown.clone());
        self.until_stopped(work, health, standing.clone()).await
    }

    /// Works until the end, or until SIGTERM or Ctrl-C; then `work` is told to end by the shutdown.
    pub(super) async fn until_stopped(
        &self,
        work: impl Future<Output = Result<(), BoxError>>,
        health: Option<SocketAddr>,
        standing: Standing,
    ) -> Result<(), BoxError> {
        let (mut term, mut int) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let health = async {
            if let Some(address) = health {
                let listener = tokio::net::TcpListener::bind(address).await;
                let listener = listener.map_err(|e| format!("can't listen on {address}: {e}"))?;
                super::health::serve(listener, standing, self.shutdown.clone()).await;
            }
            std::future::pending::<Result<(), BoxError>>().await
        };
        let stop = async {
            let goes_down = tokio::select! { _ = term.recv() => true, _ = int.recv() => false };
            if let Some(farewell) = self.farewell.as_ref().filter(|_| goes_down) {
                tokio::select! { () = farewell.say() => {}, _ = term.recv() => {}, _ = int.recv() => {} }
            }
            self.shutdown.cancel();
            std::future::pending::<Result<(), BoxError>>().await
        };
        tokio::select! {
            ended = work => ended,
            never = stop => never,
            failed = health => failed,
        }
    }
}
