//! The nftables table `windlass-pods`: traffic of pods that leaves the cluster gets the node's
//! address, and node ports lead into pods. Small, so each change replaces it whole, in one transaction.

mod encode;
mod socket;

use encode::{Chain, Expr, Hook, Table};
use std::io;
use std::net::Ipv4Addr;

use super::bridge::Cidr;

/// Name of the table.
const TABLE: &str = "windlass-pods";
const TCP: u8 = 6;
const UDP: u8 = 17;
const SCTP: u8 = 132;

/// All that the table is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// Addresses of this node's pods.
    pub(super) pods: Cidr,
    /// Addresses that pods reach with their own: those of the cluster's pods and services.
    pub(super) cluster: Vec<Cidr>,
    pub(super) ports: Vec<HostPort>,
}

/// A port of the node that leads to a pod.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct HostPort {
    pub(super) host_ip: Option<Ipv4Addr>,
    pub(super) host_port: u16,
    pub(super) protocol: u8,
    pub(super) pod: Ipv4Addr,
    pub(super) pod_port: u16,
}

/// The number of a protocol that Kubernetes knows.
pub(super) fn protocol(name: &str) -> Option<u8> {
    match name {
        "TCP" | "" => Some(TCP),
        "UDP" => Some(UDP),
        "SCTP" => Some(SCTP),
        _ => None,
    }
}

/// Replaces the table, in the network namespace of this thread.
pub(super) fn apply(plan: &Plan) -> io::Result<()> {
    socket::transact(&encode::replace(&render(plan)))
}

/// Removes the table.
pub(super) fn remove() -> io::Result<()> {
    socket::transact(&encode::delete(TABLE))
}

/// The table's chains and rules.
fn render(plan: &Plan) -> Table {
    let mut ways_out: Vec<Vec<Expr>> = plan
        .cluster
        .iter()
        .map(|c| vec![Expr::Source(plan.pods), Expr::Destination(*c), Expr::Return])
        .collect();
    ways_out.push(vec![Expr::Source(plan.pods), Expr::Masquerade]);
    // What the node sends to itself by a host port would come from 127.0.0.1.
    let loopback = Cidr::new(Ipv4Addr::new(127, 0, 0, 0), 8);
    ways_out.push(vec![Expr::Source(loopback), Expr::Destination(plan.pods), Expr::Masquerade]);
    let jump = || vec![vec![Expr::ToThisNode, Expr::Jump("ports")]];
    Table {
        name: TABLE,
        chains: vec![
            Chain { name: "ports", hook: None, rules: plan.ports.iter().map(port_rule).collect() },
            Chain { name: "prerouting", hook: Some(Hook::Prerouting), rules: jump() },
            Chain { name: "output", hook: Some(Hook::Output), rules: jump() },
            Chain { name: "postrouting", hook: Some(Hook::Postrouting), rules: ways_out },
        ],
    }
}

fn port_rule(port: &HostPort) -> Vec<Expr> {
    let address = port.host_ip.map(|ip| Expr::Destination(Cidr::new(ip, 32)));
    let mut rule: Vec<Expr> = address.into_iter().collect();
    rule.push(Expr::Protocol(port.protocol));
    rule.push(Expr::DestinationPort(port.host_port));
    rule.push(Expr::Redirect(port.pod, port.pod_port));
    rule
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_in_the_cluster_keeps_its_address() {
        let pods = Cidr::new(Ipv4Addr::new(10, 1, 2, 0), 24);
        let all = Cidr::new(Ipv4Addr::new(10, 1, 0, 0), 16);
        let table = render(&Plan { pods, cluster: vec![all], ports: vec![] });
        let out = &table.chains.iter().find(|c| c.name == "postrouting").unwrap().rules;
        assert_eq!(out[0], [Expr::Source(pods), Expr::Destination(all), Expr::Return]);
        assert_eq!(out[1], [Expr::Source(pods), Expr::Masquerade]);
    }

    #[test]
    fn a_port_of_one_address_is_of_that_one() {
        let port = HostPort {
            host_ip: Some(Ipv4Addr::new(192, 0, 2, 1)),
            host_port: 80,
            protocol: TCP,
            pod: Ipv4Addr::new(10, 1, 2, 3),
            pod_port: 8080,
        };
        let rule = port_rule(&port);
        assert_eq!(rule[0], Expr::Destination(Cidr::new(Ipv4Addr::new(192, 0, 2, 1), 32)));
        assert_eq!(rule.last(), Some(&Expr::Redirect(port.pod, 8080)));
    }
}
