//! The pod network, which is only known once the cluster has given the node its addresses.

use crate::standalone::Error;
use async_trait::async_trait;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::OnceLock;
use windlass_agent::network::bridge::{BridgeNetwork, BridgeOptions, Cidr};
use windlass_agent::network::cni::{CniNetwork, CniOptions};
use windlass_agent::network::{Attachment, Network};
use windlass_agent::runtime::{Error as RuntimeError, Result as RuntimeResult};
use windlass_core::component::BoxError;
use windlass_proxy::model::Network as Range;

/// The network of CNI plugins when the machine has a configuration of such, else the built-in one.
pub(super) struct LateNetwork {
    state_dir: PathBuf,
    cluster_cidrs: Vec<Cidr>,
    network: OnceLock<Box<dyn Network>>,
}

impl LateNetwork {
    pub(super) fn new(state_dir: PathBuf, pods: &str, services: &str) -> Result<Self, Error> {
        let mut cluster_cidrs = vec![cidr("service-cidr", services)?];
        let pods = Range::list(pods).map_err(|error| Error::part("pod-cidr", error))?;
        // The built-in network gives out IPv4 addresses alone.
        cluster_cidrs.extend(pods.iter().filter_map(|network| match network.address {
            IpAddr::V4(address) => Some(Cidr::new(address, network.prefix)),
            IpAddr::V6(_) => None,
        }));
        Ok(Self { state_dir, cluster_cidrs, network: OnceLock::new() })
    }

    /// Opens it with the node's addresses. Does nothing the second time.
    pub(super) fn open(&self, pod_cidr: &str) -> Result<(), BoxError> {
        if self.network.get().is_some() {
            return Ok(());
        }
        let network: Box<dyn Network> = match CniNetwork::find(CniOptions::new(&self.state_dir))? {
            Some(cni) => Box::new(cni),
            None => Box::new(BridgeNetwork::open(BridgeOptions {
                state_dir: self.state_dir.clone(),
                pod_cidr: cidr("pod-cidr", pod_cidr)?,
                cluster_cidrs: self.cluster_cidrs.clone(),
                mtu: None,
            })?),
        };
        // Whoever was faster has opened the same.
        self.network.set(network).ok();
        Ok(())
    }

    fn get(&self) -> RuntimeResult<&dyn Network> {
        let missing = || RuntimeError::Failed("the node has no pod addresses yet".into());
        self.network.get().map(|network| &**network).ok_or_else(missing)
    }
}

#[async_trait]
impl Network for LateNetwork {
    async fn attach(&self, sandbox: &Attachment) -> RuntimeResult<Vec<IpAddr>> {
        self.get()?.attach(sandbox).await
    }

    async fn detach(&self, sandbox: &Attachment) -> RuntimeResult<()> {
        self.get()?.detach(sandbox).await
    }
}

fn cidr(option: &'static str, text: &str) -> Result<Cidr, Error> {
    text.parse().map_err(|_| {
        Error::part(option, format!("{text:?} is no range of IPv4 addresses: 10.244.0.0/16"))
    })
}
