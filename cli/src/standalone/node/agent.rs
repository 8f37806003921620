//! An agent on this machine: its runtime, the built-in network or CNI.

use super::network::LateNetwork;
use super::runtime;
use crate::standalone::identity::make_private_dir;
use crate::standalone::{Error, Farewell, KubeletOptions, RuntimeOptions};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpListener;
use windlass_agent::{Agent, Config, Machine, NodeShutdown, ServerTls};
use windlass_api::authentication::MASTERS;
use windlass_api::pki::{CertificateResolver, server_tls_with};
use windlass_core::cache::InformerFactory;
use windlass_core::client::Client;
use windlass_core::clock::Env;

/// The name of the API server's certificate: whom agents let in.
pub const API_SERVER: &str = "kube-apiserver-kubelet-client";

/// Where an agent runs, and for whom.
pub struct Place<'a> {
    /// Keeps containers, images and volumes.
    pub data_dir: &'a Path,
    /// What runs containers.
    pub runtime: &'a RuntimeOptions,
    /// Most pods that the node takes.
    pub max_pods: usize,
    /// How it treats the node.
    pub kubelet: &'a KubeletOptions,
    /// The node's name.
    pub name: &'a str,
    /// The node's address; the agent listens there.
    pub address: IpAddr,
    /// The port it listens on.
    pub port: u16,
    /// The option that names the port, for who must choose another.
    pub port_option: &'static str,
    /// Addresses of all pods.
    pub pod_cidr: &'a str,
    /// Addresses of Services.
    pub service_cidr: &'a str,
    /// Where pods ask for names; none: where the node does.
    pub cluster_dns: Option<IpAddr>,
    /// The domain of the cluster's names.
    pub cluster_domain: &'a str,
    /// What the agent shows.
    pub own: &'a CertificateResolver,
    /// Of whom clients have a certificate, PEM.
    pub authority: &'a str,
    /// Writes to the API.
    pub client: Arc<dyn Client>,
    /// Read from it.
    pub informers: InformerFactory,
    /// Time and chance.
    pub env: Env,
}

/// Makes an agent, with what is to be done before it stops; containers of an earlier one are found again.
///
/// # Errors
/// When the process is not root, a folder can't be used or the port is taken.
pub async fn build(place: Place<'_>) -> Result<(Agent, Option<Farewell>), Error> {
    let root_dir = place.data_dir.join("agent");
    make_private_dir(&root_dir)
        .map_err(|source| Error::DataDir { path: root_dir.clone(), source })?;
    let network = LateNetwork::new(root_dir.join("network"), place.pod_cidr, place.service_cidr)?;
    let network = Arc::new(network);
    let runtime = runtime::open(place.runtime, place.data_dir, &root_dir, network.clone()).await?;
    let mut config = Config {
        node_name: place.name.to_owned(),
        node_ip: place.address,
        root_dir,
        port: place.port,
        max_pods: place.max_pods,
        cluster_dns: place.cluster_dns,
        cluster_domain: place.cluster_domain.to_owned(),
        machine: Machine::read(place.data_dir),
        ..Config::default()
    };
    place.kubelet.apply(&mut config).map_err(|error| Error::part("agent", error))?;
    let config_tls = Arc::new(server_tls_with(place.own, place.authority, true)?);
    let clients = vec![API_SERVER.to_owned()];
    let tls = ServerTls { config: config_tls, clients, organization: MASTERS.to_owned() };
    let address = SocketAddr::new(place.address, place.port);
    let listener = TcpListener::bind(address).await;
    let listener =
        listener.map_err(|source| Error::Listen { address, option: place.port_option, source })?;
    let node = NodeShutdown::default();
    let farewell = Farewell::of(&config, node.clone());
    let agent = Agent::builder()
        .config(config)
        .node_shutdown(node)
        .client(place.client)
        .informers(place.informers)
        .env(place.env)
        .runtime(runtime)
        .serve(listener, Some(tls))
        .on_pod_cidr(move |cidr| network.open(&cidr))
        .build()
        .map_err(|error| Error::part("agent", error))?;
    Ok((agent, farewell))
}
