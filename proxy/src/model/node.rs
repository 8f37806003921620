//! The fields of a v1 Node that the proxy reads, and on which of its addresses node ports answer.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::sync::Arc;

use serde::Deserialize;
use windlass_core::cache::{Informer, InformerFactory};
use windlass_core::scheme::NODES;

use super::{Family, Network, ParseNetworkError};

/// Whom the cluster autoscaler is about to delete.
const TO_BE_DELETED: &str = "ToBeDeletedByClusterAutoscaler";
/// Stands for the node's primary addresses.
const PRIMARY: &str = "primary";

/// On which of a node's addresses node ports answer: kube-proxy's `--nodeport-addresses`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum NodePortAddresses {
    /// On all but loopback.
    #[default]
    All,
    /// On the first of each family that the Node has, internal ones before external ones.
    Primary,
    /// On those within these networks; in a family without any, on all.
    Within(Vec<Network>),
}

/// View of a v1 Node: its taints and addresses.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct NodeView {
    spec: NodeSpecView,
    status: NodeStatusView,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct NodeSpecView {
    taints: Option<Vec<TaintView>>,
}

#[derive(Clone, Debug, Deserialize)]
struct TaintView {
    key: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct NodeStatusView {
    addresses: Option<Vec<AddressView>>,
}

#[derive(Clone, Debug, Deserialize)]
struct AddressView {
    #[serde(rename = "type")]
    kind: String,
    address: String,
}

// === impl NodePortAddresses ===

impl FromStr for NodePortAddresses {
    type Err = ParseNetworkError;

    /// `primary`, or networks with commas between them; nothing stands for all.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim() {
            "" => Ok(Self::All),
            PRIMARY => Ok(Self::Primary),
            list => Network::list(list).map(Self::Within),
        }
    }
}

impl NodePortAddresses {
    /// The networks for a node, as backends take them; none stands for all addresses. Waits for the Node's addresses
    /// where it takes them; how long that may be is the caller's to say.
    pub async fn networks(&self, informers: &InformerFactory, node: &str) -> Vec<Network> {
        match self {
            Self::All => Vec::new(),
            Self::Within(networks) => networks.clone(),
            Self::Primary => {
                let node = NodeView::informer(informers, node);
                node.wait_for(|nodes| nodes.list(None).first()?.view.primary_networks()).await
            }
        }
    }
}

// === impl NodeView ===

impl NodeView {
    /// Follows the Node of this name alone.
    pub(crate) fn informer(informers: &InformerFactory, name: &str) -> Arc<Informer<Self>> {
        informers.filtered(NODES, &format!("metadata.name={name}"))
    }

    /// Whether pods are moved away from it, to delete it.
    pub(crate) fn is_drained(&self) -> bool {
        self.spec.taints.iter().flatten().any(|taint| taint.key == TO_BE_DELETED)
    }

    /// The primary addresses, a network each; none before the Node has an address. In a family without one it is
    /// loopback's, on which no node port answers.
    fn primary_networks(&self) -> Option<Vec<Network>> {
        let primary = |family| {
            let of_kind = |wanted: &'static str| {
                let all = self.status.addresses.iter().flatten();
                all.filter(move |address| address.kind == wanted)
            };
            let addresses = of_kind("InternalIP").chain(of_kind("ExternalIP"));
            let mut addresses = addresses.filter_map(|address| address.address.parse().ok());
            addresses.find(|ip: &IpAddr| Family::of(*ip) == family)
        };
        let (v4, v6) = (primary(Family::V4), primary(Family::V6));
        v4.or(v6)?;
        let v4 = v4.unwrap_or(Ipv4Addr::LOCALHOST.into());
        let v6 = v6.unwrap_or(Ipv6Addr::LOCALHOST.into());
        Some([(v4, 32), (v6, 128)].map(|(address, prefix)| Network { address, prefix }).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn they_can_be_written_down() {
        assert_eq!("".parse(), Ok(NodePortAddresses::All));
        assert_eq!("primary".parse(), Ok(NodePortAddresses::Primary));
        let within = "10.0.0.0/8, fd00::/8".parse().unwrap();
        assert!(matches!(within, NodePortAddresses::Within(networks) if networks.len() == 2));
        for wrong in ["primary,10.0.0.0/8", "10.0.0.1", "eth0"] {
            assert!(wrong.parse::<NodePortAddresses>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn primary_is_the_first_internal_address_of_each_family() {
        let primary = |addresses: &[(&str, &str)]| {
            let listed =
                addresses.iter().map(|(kind, address)| json!({"type": kind, "address": address}));
            let status = json!({"addresses": listed.collect::<Vec<_>>()});
            let node: NodeView = serde_json::from_value(json!({"status": status})).unwrap();
            node.primary_networks()
                .map(|networks| networks.iter().map(|n| n.address.to_string()).collect())
        };
        let expect = |v4: &str, v6: &str| Some(vec![v4.to_owned(), v6.to_owned()]);
        let (host, inside, outside) =
            (("Hostname", "n"), ("InternalIP", "10.0.0.7"), ("ExternalIP", "192.0.2.7"));
        assert_eq!(primary(&[host]), None, "not known yet");
        assert_eq!(primary(&[host, outside, inside]), expect("10.0.0.7", "::1"));
        assert_eq!(primary(&[outside, ("InternalIP", "fd00::7")]), expect("192.0.2.7", "fd00::7"));
    }
}
