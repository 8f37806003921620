//! The semantics of NetworkPolicies written down a second time, as plainly as can be: looks at all
//! objects for each packet.

use std::net::IpAddr;

use serde_json::{Value, json};

use crate::model::Protocol;
use crate::policy::{Direction, Packet};

pub(crate) const TEAMS: [&str; 2] = ["red", "blue"];
pub(crate) const APPS: [&str; 2] = ["web", "db"];
pub(crate) const NAMESPACES: [&str; 2] = ["a", "b"];

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pod {
    pub(crate) namespace: usize,
    pub(crate) name: usize,
    pub(crate) app: usize,
    pub(crate) here: bool,
    pub(crate) host_network: bool,
    pub(crate) over: bool,
    /// What it calls `web`.
    pub(crate) web: u16,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Peer {
    /// Pods of an app (or all) in the policy's namespace.
    Pods(Option<usize>),
    /// Pods of an app (or all) in namespaces of a team (or all).
    Namespaces(Option<usize>, Option<usize>),
    /// 10.0.0.0/24 without 10.0.0.0/30, or 192.0.2.0/24.
    Block(bool),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Port {
    All(Protocol),
    Range(u16, u16),
    Web,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rule {
    pub(crate) peers: Vec<Peer>,
    pub(crate) ports: Vec<Port>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Policy {
    pub(crate) namespace: usize,
    pub(crate) name: usize,
    pub(crate) app: Option<usize>,
    pub(crate) ingress: Option<Vec<Rule>>,
    pub(crate) egress: Option<Vec<Rule>>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    pub(crate) pods: Vec<Pod>,
    pub(crate) teams: [usize; 2],
    pub(crate) policies: Vec<Policy>,
}

impl Pod {
    pub(crate) fn ip(&self) -> IpAddr {
        IpAddr::from([10, 0, 0, (self.namespace * 4 + self.name) as u8])
    }

    pub(crate) fn object(&self) -> Value {
        let phase = if self.over { "Failed" } else { "Running" };
        json!({"metadata": {"namespace": NAMESPACES[self.namespace], "name": format!("pod-{}", self.name),
                "labels": {"app": APPS[self.app]}},
            "spec": {"nodeName": if self.here { "here" } else { "there" }, "hostNetwork": self.host_network,
                "containers": [{"ports": [{"name": "web", "containerPort": self.web}, {"containerPort": 7}]}]},
            "status": {"phase": phase, "podIP": self.ip(), "podIPs": [{"ip": self.ip()}]}})
    }

    fn has_address(&self) -> bool {
        !self.host_network && !self.over
    }
}

impl Policy {
    pub(crate) fn object(&self) -> Value {
        let mut spec = json!({"podSelector": labels("app", &APPS, self.app), "policyTypes": []});
        for (name, field, peers, rules) in [
            ("Ingress", "ingress", "from", &self.ingress),
            ("Egress", "egress", "to", &self.egress),
        ] {
            let Some(rules) = rules else { continue };
            spec["policyTypes"].as_array_mut().unwrap().push(name.into());
            let rule = |rule: &Rule| {
                json!({peers: rule.peers.iter().map(Peer::object).collect::<Vec<_>>(),
                    "ports": rule.ports.iter().map(Port::object).collect::<Vec<_>>()})
            };
            spec[field] = rules.iter().map(rule).collect();
        }
        json!({"metadata": {"namespace": NAMESPACES[self.namespace], "name": format!("policy-{}", self.name)}, "spec": spec})
    }

    fn rules(&self, direction: Direction) -> Option<&Vec<Rule>> {
        match direction {
            Direction::Ingress => self.ingress.as_ref(),
            Direction::Egress => self.egress.as_ref(),
        }
    }
}

impl Peer {
    fn object(&self) -> Value {
        match self {
            Self::Pods(app) => json!({"podSelector": labels("app", &APPS, *app)}),
            Self::Namespaces(team, app) => {
                json!({"namespaceSelector": labels("team", &TEAMS, *team),
                "podSelector": labels("app", &APPS, *app)})
            }
            Self::Block(true) => {
                json!({"ipBlock": {"cidr": "10.0.0.0/24", "except": ["10.0.0.0/30"]}})
            }
            Self::Block(false) => json!({"ipBlock": {"cidr": "192.0.2.0/24"}}),
        }
    }

    fn is(&self, world: &World, namespace: usize, ip: IpAddr) -> bool {
        let IpAddr::V4(v4) = ip else { return false };
        let pod = world.pod(ip);
        let app = |app: Option<usize>, pod: &Pod| app.is_none_or(|app| app == pod.app);
        match self {
            Self::Pods(of) => pod.is_some_and(|pod| pod.namespace == namespace && app(*of, pod)),
            Self::Namespaces(team, of) => pod.is_some_and(|pod| {
                team.is_none_or(|team| team == world.teams[pod.namespace]) && app(*of, pod)
            }),
            Self::Block(true) => v4.octets()[..3] == [10, 0, 0] && v4.octets()[3] >= 4,
            Self::Block(false) => v4.octets()[..3] == [192, 0, 2],
        }
    }
}

impl Port {
    fn object(&self) -> Value {
        match self {
            Self::All(protocol) => json!({"protocol": protocol.to_string()}),
            Self::Range(first, last) => json!({"port": first, "endPort": last}),
            Self::Web => json!({"port": "web", "protocol": "TCP"}),
        }
    }

    fn is(&self, world: &World, packet: &Packet) -> bool {
        let tcp = packet.protocol == Protocol::Tcp;
        match self {
            Self::All(protocol) => *protocol == packet.protocol,
            Self::Range(first, last) => tcp && (first..=last).contains(&&packet.port),
            Self::Web => {
                tcp && world.pod(packet.destination).is_some_and(|pod| pod.web == packet.port)
            }
        }
    }
}

impl World {
    pub(crate) fn allows(&self, packet: &Packet) -> bool {
        packet.source == packet.destination
            || (self.passes(Direction::Ingress, packet.destination, packet.source, packet)
                && self.passes(Direction::Egress, packet.source, packet.destination, packet))
    }

    fn passes(&self, direction: Direction, own: IpAddr, peer: IpAddr, packet: &Packet) -> bool {
        let Some(pod) = self.pod(own).filter(|pod| pod.here) else { return true };
        let selecting = self.policies.iter().filter(|policy| {
            policy.namespace == pod.namespace && policy.app.is_none_or(|app| app == pod.app)
        });
        let mut isolating =
            selecting.filter_map(|policy| Some((policy, policy.rules(direction)?))).peekable();
        isolating.peek().is_none()
            || isolating.any(|(policy, rules)| {
                rules.iter().any(|rule| {
                    let is_peer = rule.peers.iter().any(|one| one.is(self, policy.namespace, peer));
                    let is_port = rule.ports.iter().any(|port| port.is(self, packet));
                    (rule.peers.is_empty() || is_peer) && (rule.ports.is_empty() || is_port)
                })
            })
    }

    fn pod(&self, ip: IpAddr) -> Option<&Pod> {
        self.pods.iter().find(|pod| pod.has_address() && pod.ip() == ip)
    }
}

fn labels(key: &str, values: &[&str], which: Option<usize>) -> Value {
    match which {
        None => json!({}),
        Some(which) => json!({"matchLabels": {key: values[which]}}),
    }
}
