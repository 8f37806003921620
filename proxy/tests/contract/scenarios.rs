//! What is told, and who must be reached then.

use std::collections::BTreeSet;
use std::sync::Arc;

use windlass_proxy::model::*;

use crate::lab::{endpoint, over, pods, service, udp};
use crate::subject::{Door, Subject};

const IP: &str = "10.96.0.10";

fn set<const N: usize>(pods: [usize; N]) -> BTreeSet<usize> {
    pods.into()
}

fn inside(subject: &dyn Subject, port: &ServicePort) -> BTreeSet<usize> {
    subject.reached(port, Door::Inside)
}

/// A port that says which of the pods run on this node.
fn with_local(name: &str, all: &[usize], local: &[usize]) -> ServicePort {
    let mut port = service(name, IP, pods(all.iter().copied()));
    for (endpoint, pod) in port.cluster_endpoints.iter_mut().zip(all) {
        endpoint.local = local.contains(pod);
    }
    port.local_endpoints = pods(local.iter().copied());
    port
}

pub(crate) fn every_endpoint_serves(subject: &mut dyn Subject) {
    let port = service("web", IP, pods([0, 1, 2]));
    subject.apply(vec![port.clone()], Vec::new());
    assert_eq!(inside(subject, &port), set([0, 1, 2]));
}

pub(crate) fn every_endpoint_serves_datagrams(subject: &mut dyn Subject) {
    let mut port = udp(service("dns", IP, pods([0, 2])));
    port.node_port = Some(30053);
    subject.apply(vec![port.clone()], Vec::new());
    for door in [Door::Inside, Door::NodePort] {
        assert_eq!(subject.reached(&port, door), set([0, 2]), "{door:?}");
    }
}

pub(crate) fn endpoints_come_and_go(subject: &mut dyn Subject) {
    for protocol in [Protocol::Tcp, Protocol::Udp] {
        for now in [vec![0], vec![0, 1, 2], vec![1], vec![], vec![2, 0]] {
            let port = over(protocol, service("web", IP, pods(now.iter().copied())));
            subject.apply(vec![port.clone()], Vec::new());
            assert_eq!(inside(subject, &port), BTreeSet::from_iter(now), "{protocol}");
        }
    }
}

pub(crate) fn a_port_that_is_removed_serves_nobody(subject: &mut dyn Subject) {
    let mut port = service("web", IP, pods([0]));
    port.node_port = Some(30080);
    subject.apply(vec![port.clone()], Vec::new());
    assert_eq!(subject.reached(&port, Door::NodePort), set([0]));
    for _again in 0..2 {
        subject.apply(Vec::new(), vec![port.key.clone()]);
    }
    for door in [Door::Inside, Door::NodePort] {
        assert_eq!(subject.reached(&port, door), set([]), "{door:?}");
    }
    subject.apply(vec![port.clone()], Vec::new());
    assert_eq!(inside(subject, &port), set([0]), "back again");
}

pub(crate) fn a_resync_leaves_nothing_of_before(subject: &mut dyn Subject) {
    let mut gone = service("gone", "10.96.0.11", pods([0]));
    gone.node_port = Some(30080);
    subject.apply(vec![gone.clone(), service("web", IP, pods([0]))], Vec::new());
    let (web, new) = (service("web", IP, pods([1])), service("new", "10.96.0.12", pods([2])));
    subject.resync(vec![web.clone(), new.clone()]);
    assert_eq!((inside(subject, &web), inside(subject, &new)), (set([1]), set([2])));
    for door in [Door::Inside, Door::NodePort] {
        assert_eq!(subject.reached(&gone, door), set([]), "{door:?}");
    }
}

pub(crate) fn the_same_again_changes_nothing(subject: &mut dyn Subject) {
    let mut port = service("web", IP, pods([0, 1]));
    port.node_port = Some(30080);
    subject.apply(vec![port.clone()], Vec::new());
    subject.apply(vec![port.clone()], Vec::new());
    for _again in 0..2 {
        subject.resync(vec![port.clone()]);
    }
    for door in [Door::Inside, Door::NodePort] {
        assert_eq!(subject.reached(&port, door), set([0, 1]), "{door:?}");
    }
}

pub(crate) fn without_endpoints_nobody_serves(subject: &mut dyn Subject) {
    let mut port = service("web", IP, Vec::new());
    port.node_port = Some(30080);
    subject.apply(vec![port.clone()], Vec::new());
    for door in [Door::Inside, Door::NodePort] {
        assert_eq!(subject.reached(&port, door), set([]), "{door:?}");
    }
}

pub(crate) fn policies_choose_endpoints(subject: &mut dyn Subject) {
    use TrafficPolicy::{Cluster, Local};
    for (local, internal, external, within, without) in [
        (vec![0], Cluster, Cluster, set([0, 1]), set([0, 1])),
        (vec![0], Local, Cluster, set([0]), set([0, 1])),
        (vec![0], Cluster, Local, set([0, 1]), set([0])),
        (vec![1], Local, Local, set([1]), set([1])),
        (vec![], Local, Local, set([]), set([])),
    ] {
        let mut port = with_local("web", &[0, 1], &local);
        port.node_port = Some(30080);
        (port.internal_policy, port.external_policy) = (internal, external);
        subject.apply(vec![port.clone()], Vec::new());
        assert_eq!(inside(subject, &port), within, "{internal:?}, {local:?} here");
        let reached = subject.reached(&port, Door::NodePort);
        assert_eq!(reached, without, "from outside {external:?}, {local:?} here");
    }
}

pub(crate) fn node_ports_lead_to_endpoints_and_move(subject: &mut dyn Subject) {
    let mut port = service("web", IP, pods([0, 1]));
    port.node_port = Some(30080);
    subject.apply(vec![port.clone()], Vec::new());
    assert_eq!(subject.reached(&port, Door::NodePort), set([0, 1]));
    let before = port.clone();
    port.node_port = Some(30081);
    subject.apply(vec![port.clone()], Vec::new());
    assert_eq!(subject.reached(&port, Door::NodePort), set([0, 1]));
    assert_eq!(subject.reached(&before, Door::NodePort), set([]), "the one of before is let go");
    assert_eq!(inside(subject, &port), set([0, 1]));
}

pub(crate) fn each_service_has_its_own_endpoints(subject: &mut dyn Subject) {
    let port =
        |pod: usize| service(&format!("s{pod}"), &format!("10.96.0.{}", 10 + pod), pods([pod]));
    let all = [0, 1, 2].map(port);
    subject.apply(all.to_vec(), Vec::new());
    for (pod, port) in all.iter().enumerate() {
        assert_eq!(inside(subject, port), set([pod]));
    }
}

pub(crate) fn a_thousand_endpoints_that_flap_end_where_they_are_told(subject: &mut dyn Subject) {
    let many: Vec<Endpoint> =
        (0..1000).map(|n| endpoint(&format!("10.99.{}.{}:80", n / 250, n % 250))).collect();
    for round in 0..60 {
        // Each other time half of them are gone.
        let there = if round % 2 == 0 { &many[..] } else { &many[250..750] };
        subject.apply(vec![service("web", IP, there.to_vec())], Vec::new());
    }
    let port = service("web", IP, pods([0, 1]));
    subject.apply(vec![port.clone()], Vec::new());
    assert_eq!(inside(subject, &port), set([0, 1]));
}

pub(crate) fn names_may_be_long(subject: &mut dyn Subject) {
    let names = |length: usize| ServicePortName {
        service: NamespacedName::new("n".repeat(length), "s".repeat(length)),
        port: "p".repeat(length).into(),
        protocol: Protocol::Tcp,
    };
    let port = |length: usize, ip: &str, pod: usize| {
        let mut port = service("", ip, pods([pod]));
        port.key.name = Arc::new(names(length));
        port.affinity = Some(60);
        port
    };
    // The longest that Kubernetes lets through, and what nobody should get through.
    let all = [port(63, IP, 0), port(64, "10.96.0.11", 1), port(5000, "10.96.0.12", 2)];
    subject.apply(all.to_vec(), Vec::new());
    for (pod, port) in all.iter().enumerate() {
        assert_eq!(inside(subject, port), set([pod]));
    }
    subject.apply(Vec::new(), vec![all[2].key.clone()]);
    assert_eq!(inside(subject, &all[1]), set([1]));
}

pub(crate) fn a_protocol_that_can_not_be_served_keeps_nothing_from_being_served(
    subject: &mut dyn Subject,
) {
    let sctp = over(Protocol::Sctp, service("web", IP, pods([0])));
    let tcp = service("web", IP, pods([1]));
    subject.apply(vec![sctp.clone(), tcp.clone()], Vec::new());
    assert_eq!(inside(subject, &tcp), set([1]));
    subject.resync(vec![sctp.clone(), tcp.clone()]);
    subject.apply(Vec::new(), vec![sctp.key]);
    assert_eq!(inside(subject, &tcp), set([1]));
}

pub(crate) fn a_client_with_affinity_stays(subject: &mut dyn Subject) {
    let mut port = service("web", IP, pods([0, 1, 2]));
    (port.affinity, port.node_port) = (Some(10_800), Some(30080));
    subject.apply(vec![port.clone()], Vec::new());
    if !subject.forwards() {
        return;
    }
    for door in [Door::Inside, Door::NodePort] {
        let first = subject.reached(&port, door);
        assert_eq!(first.len(), 1, "{door:?}: {first:?}");
        let rest: Vec<usize> = (0..3).filter(|pod| !first.contains(pod)).collect();
        let mut without = port.clone();
        (without.cluster_endpoints, without.local_endpoints) = (pods(rest.clone()), pods(rest));
        subject.apply(vec![without.clone()], Vec::new());
        let second = subject.reached(&without, door);
        assert!(second.len() == 1 && second.is_disjoint(&first), "{door:?}: {second:?}");
        subject.apply(vec![port.clone()], Vec::new());
        assert_eq!(subject.reached(&port, door), second, "{door:?}: and stays there");
    }
    port.affinity = None;
    subject.apply(vec![port.clone()], Vec::new());
    assert_eq!(inside(subject, &port), set([0, 1, 2]), "free again");
}
