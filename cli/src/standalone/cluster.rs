//! A running cluster.

use super::control_plane::ControlPlane;
use super::parts::Parts;
use super::renewal::Renewing;
use super::{Error, Farewell, Options, node};
use crate::tokens::{CertificateAuthority, Signer};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use windlass_api::authentication::User;
use windlass_api::server::ApiServer;
use windlass_controllers::{Context, Settings, registry};
use windlass_core::cache::InformerFactory;
use windlass_core::client::Client;
use windlass_core::client::remote::RemoteClient;
use windlass_core::events::Recorder;
use windlass_scheduler::Scheduler;

/// How long parts may take to stop, and how much longer than the API server needs to end its requests.
const GRACE: Duration = Duration::from_secs(10);
const SPARE: Duration = Duration::from_secs(2);

/// A cluster in this process. Dropping it ends it; [`Cluster::stop`] ends it cleanly.
pub struct Cluster {
    control_plane: ControlPlane,
    parts: Parts,
    kubeconfig: Option<PathBuf>,
    farewell: Option<Farewell>,
    /// How long parts may take to stop.
    patience: Duration,
}

// === impl Cluster ===

impl Cluster {
    /// Starts a cluster; returns when all its parts are ready. On an error nothing is left running.
    ///
    /// # Errors
    /// What is wrong, and what to do about it, in one line.
    pub async fn start(options: Options) -> Result<Self, Error> {
        let mut parts = Parts::new(options.progress.clone(), Instant::now());
        match Self::assemble(&options, &mut parts).await {
            Ok((control_plane, kubeconfig, farewell)) => {
                let patience = GRACE.max(options.serve.delay + options.serve.drain + SPARE);
                Ok(Self { control_plane, parts, kubeconfig, farewell, patience })
            }
            Err(error) => {
                parts.stop(GRACE).await;
                Err(error)
            }
        }
    }

    async fn assemble(
        options: &Options,
        parts: &mut Parts,
    ) -> Result<(ControlPlane, Option<PathBuf>, Option<Farewell>), Error> {
        node::check(options)?;
        let mut control_plane = ControlPlane::start(options, parts).await?;
        let admin = control_plane.listen.and_then(|listen| control_plane.identity.admin(listen));
        let kubeconfig = match admin {
            Some((path, write)) => {
                let now = options.env.clock.now();
                control_plane.renewal.written("admin.kubeconfig", now, write)?;
                Some(path)
            }
            None => None,
        };
        start_controllers(options, &control_plane, parts).await?;
        let farewell = match &options.node {
            Some(node) => node::start(options, node, &mut control_plane, parts).await?,
            None => None,
        };
        let renewal = std::mem::take(&mut control_plane.renewal);
        parts.start(Box::new(Renewing { renewal, clock: options.env.clock.clone() }));
        Ok((control_plane, kubeconfig, farewell))
    }

    /// A client in this process that may do everything.
    #[must_use]
    pub fn client(&self) -> Arc<dyn Client> {
        self.control_plane.client.clone()
    }

    /// A client of the `kube` crate, over no socket, that may do everything.
    #[must_use]
    pub fn kube_client(&self) -> kube::Client {
        kube_client(self.server())
    }

    /// The API server.
    #[must_use]
    pub fn server(&self) -> &Arc<ApiServer> {
        &self.control_plane.server
    }

    /// The administrator's kubeconfig, when the cluster listens and has a data directory.
    #[must_use]
    pub fn kubeconfig(&self) -> Option<&std::path::Path> {
        self.kubeconfig.as_deref()
    }

    /// Returns when a part has failed.
    pub async fn failure(&mut self) -> Error {
        self.parts.failure().await
    }

    /// Ends the node's pods in the order of their priority, where [`super::KubeletOptions::shutdown_grace_period`] says
    /// so, and tells whether it does. To be called before [`Cluster::stop`] when the machine goes down.
    pub async fn end_pods(&self) -> bool {
        let Some(farewell) = &self.farewell else { return false };
        farewell.say().await;
        true
    }

    /// Stops all parts; containers go on running. All that was acknowledged is on disk.
    pub async fn stop(mut self) {
        if self.control_plane.listen.is_none() {
            // Else it ends its watches itself, when those who ask were told that it will.
            self.control_plane.server.close();
        }
        self.parts.stop(self.patience).await;
    }
}

fn kube_client(server: &Arc<ApiServer>) -> kube::Client {
    let service = tower::ServiceBuilder::new()
        .map_request(|mut request: http::Request<kube::client::Body>| {
            request.extensions_mut().insert(User::admin());
            request
        })
        .service(server.service());
    kube::Client::new(service, "default")
}

async fn start_controllers(
    options: &Options,
    control_plane: &ControlPlane,
    parts: &mut Parts,
) -> Result<(), Error> {
    let (client, env) = (control_plane.client.clone(), options.env.clone());
    let shutdown = parts.shutdown().child_token();
    if options.controllers {
        // Other servers serve metrics: what they serve has paths, and no place in the registry.
        let over_http = Arc::new(RemoteClient::new(kube_client(&control_plane.server)));
        let settings = Settings {
            ca_pem: control_plane.identity.authority.certificate().to_owned(),
            tokens: Some(Arc::new(Signer(control_plane.identity.tokens.clone()))),
            certificates: Some(Arc::new(CertificateAuthority(
                control_plane.identity.authority.clone(),
            ))),
            cluster_cidr: options.pod_cidr.clone(),
            metrics: Some(over_http.clone()),
            discovery: Some(over_http),
            ..Settings::default()
        };
        let context = Context::new(client.clone(), env.clone(), shutdown.clone());
        let context = context.with_settings(settings);
        parts.start_all("controllers", registry::start(&context, |_| true)).await?;
    }
    if options.scheduler {
        let recorder =
            Recorder::new(client.clone(), env.clone(), "default-scheduler", "", shutdown.clone());
        let profile = crate::devices::registry().default_profile(Some(client.clone()));
        let informers = InformerFactory::new(client, shutdown);
        let scheduler = Scheduler::builder(informers, recorder, env).profile(profile).build();
        parts.start_all("scheduler", vec![Box::new(scheduler)]).await?;
    }
    Ok(())
}
