//! A policy as its spec means it: selectors parsed, defaults filled in, ranges worked out.

use windlass_core::apis::IntOrString;
use windlass_core::apis::meta::v1::LabelSelector as ApiSelector;
use windlass_core::apis::networking::v1::{
    IPBlock, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec,
};
use windlass_core::meta::{LabelSelector, SelectorError};

use super::ranges;
use super::ruleset::{Direction, PeerMatch, PortMatch, RuleShape};
use crate::model::{AddressRange, Network, ParseNetworkError, Protocol};

/// A NetworkPolicy's meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The pods of its namespace that it selects.
    pub pods: LabelSelector,
    /// What may come to them; `None` when it says nothing of this direction.
    pub ingress: Option<Vec<Rule>>,
    /// What may leave them; `None` when it says nothing of this direction.
    pub egress: Option<Vec<Rule>>,
}

/// One rule: what is from (or to) any of the peers, at any of the ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The peers; `None` for everybody.
    pub peers: Option<Peers>,
    /// The destination's ports; `None` for all of all protocols.
    pub ports: Option<Ports>,
}

/// The peers of a rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peers {
    /// Pods.
    pub pods: Vec<PodPeer>,
    /// Addresses, exceptions taken out, without overlaps.
    pub blocks: Vec<AddressRange>,
}

/// Pods of some namespaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodPeer {
    /// The namespaces; `None` for the policy's own.
    pub namespaces: Option<LabelSelector>,
    /// The pods there.
    pub pods: LabelSelector,
}

/// The ports of a rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ports {
    /// From the first port to the last, without overlaps.
    pub numbers: Vec<(Protocol, u16, u16)>,
    /// Names that the destination's containers give to ports.
    pub names: Vec<(Protocol, String)>,
}

/// The spec says something that has no meaning. Retrying does not help.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// A selector has an unknown operator.
    #[error(transparent)]
    Selector(#[from] SelectorError),
    /// A block is no network.
    #[error(transparent)]
    Network(#[from] ParseNetworkError),
    /// A protocol, a number or a range of ports is none.
    #[error("port {0} is none")]
    Port(String),
}

// === impl Policy ===

impl Policy {
    /// What a spec means. Without `policyTypes` it is about ingress, and about egress if it has rules for that.
    ///
    /// # Errors
    /// For a spec that no API server would have taken.
    pub fn new(spec: &NetworkPolicySpec) -> Result<Self, PolicyError> {
        let has = |direction: &str, otherwise| match spec.policy_types.as_deref() {
            Some(types) if !types.is_empty() => types.iter().any(|one| one == direction),
            _ => otherwise,
        };
        let ingress = spec.ingress.iter().flatten();
        let ingress = ingress.map(|rule| Rule::new(rule.from.as_deref(), rule.ports.as_deref()));
        let egress = spec.egress.iter().flatten();
        let egress = egress.map(|rule| Rule::new(rule.to.as_deref(), rule.ports.as_deref()));
        let (ingress, egress) =
            (ingress.collect::<Result<_, _>>()?, egress.collect::<Result<Vec<_>, _>>()?);
        Ok(Self {
            pods: selector(spec.pod_selector.as_ref())?,
            ingress: has("Ingress", true).then_some(ingress),
            egress: has("Egress", !egress.is_empty()).then_some(egress),
        })
    }

    /// The rules for a direction; `None` when it isolates nobody in it.
    pub fn rules(&self, direction: Direction) -> Option<&[Rule]> {
        match direction {
            Direction::Ingress => self.ingress.as_deref(),
            Direction::Egress => self.egress.as_deref(),
        }
    }
}

// === impl Rule ===

impl Rule {
    fn new(
        peers: Option<&[NetworkPolicyPeer]>,
        ports: Option<&[NetworkPolicyPort]>,
    ) -> Result<Self, PolicyError> {
        let (peers, ports) = (peers.unwrap_or_default(), ports.unwrap_or_default());
        Ok(Self {
            peers: (!peers.is_empty()).then(|| Peers::new(peers)).transpose()?,
            ports: (!ports.is_empty()).then(|| Ports::new(ports)).transpose()?,
        })
    }

    /// How a rule of this number is looked up.
    pub(super) fn shape(&self, rule: u32) -> RuleShape {
        let peers = match &self.peers {
            None => vec![PeerMatch::Any],
            Some(peers) => [
                (!peers.pods.is_empty()).then_some(PeerMatch::Pods),
                (!peers.blocks.is_empty()).then_some(PeerMatch::Blocks),
            ]
            .into_iter()
            .flatten()
            .collect(),
        };
        let ports = match &self.ports {
            None => vec![PortMatch::Any],
            Some(ports) => [
                (!ports.numbers.is_empty()).then_some(PortMatch::Numbers),
                (!ports.names.is_empty()).then_some(PortMatch::Names),
            ]
            .into_iter()
            .flatten()
            .collect(),
        };
        RuleShape { rule, peers, ports }
    }
}

// === impl Peers ===

impl Peers {
    fn new(api: &[NetworkPolicyPeer]) -> Result<Self, PolicyError> {
        let mut peers = Self::default();
        for peer in api {
            if let Some(block) = &peer.ip_block {
                peers.blocks.extend(addresses(block)?);
                continue;
            }
            let namespaces = peer.namespace_selector.as_ref();
            if namespaces.is_none() && peer.pod_selector.is_none() {
                continue;
            }
            peers.pods.push(PodPeer {
                namespaces: namespaces.map(LabelSelector::from_api).transpose()?,
                pods: selector(peer.pod_selector.as_ref())?,
            });
        }
        peers.blocks = ranges::union(&peers.blocks);
        Ok(peers)
    }
}

// === impl Ports ===

impl Ports {
    fn new(api: &[NetworkPolicyPort]) -> Result<Self, PolicyError> {
        let (mut numbers, mut names) = (Vec::new(), Vec::new());
        for port in api {
            let protocol = protocol(port.protocol.as_deref())?;
            match &port.port {
                None => numbers.push((protocol, 0, u16::MAX)),
                Some(IntOrString::String(name)) => names.push((protocol, name.clone())),
                Some(IntOrString::Int(first)) => {
                    let last = port.end_port.unwrap_or(*first);
                    if last < *first {
                        return Err(PolicyError::Port(format!("from {first} to {last}")));
                    }
                    numbers.push((protocol, number(*first)?, number(last)?));
                }
            }
        }
        Ok(Self { numbers: merged(&numbers), names })
    }
}

fn merged(ports: &[(Protocol, u16, u16)]) -> Vec<(Protocol, u16, u16)> {
    let of = |protocol: Protocol| {
        let ours = ports.iter().filter(move |(other, ..)| *other == protocol);
        let ours = ours.map(|(_, first, last)| (u128::from(*first), u128::from(*last))).collect();
        let joined = ranges::merge(ours).into_iter();
        joined.map(move |(first, last)| (protocol, first as u16, last as u16))
    };
    [Protocol::Tcp, Protocol::Udp, Protocol::Sctp].into_iter().flat_map(of).collect()
}

fn addresses(block: &IPBlock) -> Result<Vec<AddressRange>, PolicyError> {
    let range = |text: &String| text.parse::<Network>().map(|network| network.range());
    let except = block.except.iter().flatten().map(range).collect::<Result<Vec<_>, _>>()?;
    Ok(ranges::without(range(&block.cidr)?, &except))
}

/// A selector that is left out selects everything.
fn selector(api: Option<&ApiSelector>) -> Result<LabelSelector, SelectorError> {
    api.map(LabelSelector::from_api).transpose().map(Option::unwrap_or_default)
}

fn protocol(word: Option<&str>) -> Result<Protocol, PolicyError> {
    match word {
        None | Some("TCP") => Ok(Protocol::Tcp),
        Some("UDP") => Ok(Protocol::Udp),
        Some("SCTP") => Ok(Protocol::Sctp),
        Some(other) => Err(PolicyError::Port(format!("of protocol {other:?}"))),
    }
}

fn number(number: i32) -> Result<u16, PolicyError> {
    u16::try_from(number).map_err(|_| PolicyError::Port(number.to_string()))
}
