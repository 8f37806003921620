//! Where the cluster's DNS answers, and the Service that says so.

use super::Error;
use serde_json::json;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;
use windlass_core::client::{Client, Key, WriteOptions};
use windlass_core::{Object, scheme};
use windlass_proxy::model::ServiceView;

/// Its place in the range of Services, as kubeadm has it.
const PLACE: u32 = 10;

/// Where the cluster's DNS answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClusterDns {
    /// At the tenth address of Services.
    #[default]
    Usual,
    /// There.
    At(IpAddr),
    /// Nowhere: somebody else serves names, or nobody.
    None,
}

// === impl ClusterDns ===

impl FromStr for ClusterDns {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self::None),
            _ => text.parse().map(Self::At).map_err(|_| "an address, or none".to_owned()),
        }
    }
}

impl ClusterDns {
    /// The address, in a range of Services.
    pub(super) fn address(self, network: Ipv4Addr, prefix: u8) -> Result<Option<IpAddr>, Error> {
        match self {
            Self::None => Ok(None),
            Self::At(address) => Ok(Some(address)),
            Self::Usual if prefix > 28 => Err(Error::part(
                "cluster-dns",
                format!(
                    "the range of Services has no address {PLACE}: choose one with --cluster-dns"
                ),
            )),
            Self::Usual => Ok(Some(Ipv4Addr::from_bits(network.to_bits() | PLACE).into())),
        }
    }
}

/// Makes the Service `kube-dns`, unless it is there. It keeps the address, and shows it; packets go to the
/// address itself, which every node has, so no proxy has anything to do for it.
pub(super) async fn publish(client: &dyn Client, address: IpAddr) -> Result<(), Error> {
    let key = Key::new(scheme::SERVICES, "kube-system", "kube-dns");
    let service = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "kube-dns", "namespace": "kube-system", "labels": {
            "k8s-app": "kube-dns", "kubernetes.io/cluster-service": "true",
            "service.kubernetes.io/service-proxy-name": "windlass-dns"}},
        "spec": {"clusterIP": address, "ports": [
            {"name": "dns", "port": 53, "protocol": "UDP"},
            {"name": "dns-tcp", "port": 53, "protocol": "TCP"}]},
    });
    match client.get(&key).await {
        Err(error) if error.is_not_found() => {
            let taken =
                |error| Error::part("dns", format!("{error}. Choose another with --cluster-dns"));
            let made =
                client.create(&key, service.to_string().into(), &WriteOptions::default()).await;
            made.map(drop).map_err(taken)
        }
        Err(error) => Err(Error::part("dns", error)),
        Ok(there) => warn_of_another(&there, address),
    }
}

/// An address of Services stays: pods that got it keep asking there.
fn warn_of_another(service: &Object, address: IpAddr) -> Result<(), Error> {
    let view = service.view::<ServiceView>().map_err(|error| Error::part("dns", error))?;
    if view.spec.cluster_ip != address.to_string() {
        tracing::warn!(
            service = view.spec.cluster_ip, dns = %address,
            "the Service kube-dns shows another address than names are served at; delete it to have it made anew"
        );
    }
    Ok(())
}
