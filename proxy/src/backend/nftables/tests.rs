//! Rendering, from data alone.

mod kernel;
mod property;
mod real_kernel;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::*;
use crate::model::*;
use crate::policy::PolicyChange;

fn endpoints(addresses: &[&str]) -> Vec<Endpoint> {
    addresses
        .iter()
        .map(|address| Endpoint { address: address.parse().unwrap(), local: true })
        .collect()
}

fn port(name: &str, cluster_ip: &str, endpoints: Vec<Endpoint>) -> ServicePort {
    let cluster_ip = cluster_ip.parse().unwrap();
    let service = NamespacedName::new("default", name);
    let name = Arc::new(ServicePortName { service, port: "".into(), protocol: Protocol::Tcp });
    ServicePort {
        key: PortKey { name, family: Family::of(cluster_ip) },
        cluster_ip,
        port: 80,
        node_port: None,
        external_ips: Vec::new(),
        load_balancer_ips: Vec::new(),
        source_ranges: Vec::new(),
        local_terminating: false,
        health_check_node_port: None,
        affinity: None,
        internal_policy: TrafficPolicy::Cluster,
        external_policy: TrafficPolicy::Cluster,
        local_endpoints: endpoints.iter().filter(|endpoint| endpoint.local).copied().collect(),
        cluster_endpoints: endpoints,
    }
}

fn apply(renderer: &mut Renderer, port: &ServicePort) -> Transaction {
    renderer.apply(&[Arc::new(port.clone())], &[])
}

fn target(renderer: &Renderer, port: &ServicePort) -> Target {
    renderer
        .target(Frontend::Address(port.cluster_ip, port.protocol(), port.port))
        .expect("it is programmed")
}

#[test]
fn a_service_is_a_frontend_and_its_endpoints() {
    let mut renderer = Renderer::new(Family::V4);
    let web = port("web", "10.96.0.1", endpoints(&["10.0.0.1:80", "10.0.0.2:80"]));
    let transaction = apply(&mut renderer, &web);
    let target = Target {
        group: 1,
        mode: Mode::MasqueradeOutside,
        endpoints: 2,
        affinity: 0,
        restricted: false,
    };
    let frontend = Frontend::Address(web.cluster_ip, Protocol::Tcp, 80);
    assert!(transaction.delete.is_empty() && transaction.delete_chains.is_empty());
    assert_eq!(
        transaction.add_chains.iter().map(Balancer::chain).collect::<Vec<_>>(),
        ["addresses-2"]
    );
    assert!(transaction.add.contains(&Element::Frontend(View::Cluster, frontend, target)));
    for (index, address) in (0..).zip(["10.0.0.1:80", "10.0.0.2:80"]) {
        assert!(transaction.add.contains(&Element::Endpoint(1, index, address.parse().unwrap())));
    }
    // Two endpoints, two hairpins, the frontend, its cluster address and the balancer.
    assert_eq!(transaction.add.len(), 7);
}

#[test]
fn a_changed_endpoint_touches_nothing_else() {
    let mut renderer = Renderer::new(Family::V4);
    let mut web =
        port("web", "10.96.0.1", endpoints(&["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"]));
    web.cluster_endpoints.iter_mut().for_each(|endpoint| endpoint.local = false);
    web.local_endpoints.clear();
    apply(&mut renderer, &web);
    web.cluster_endpoints[1].address = "10.0.0.9:80".parse().unwrap();
    let transaction = apply(&mut renderer, &web);
    assert_eq!(transaction.delete, [Element::Endpoint(1, 1, "10.0.0.2:80".parse().unwrap())]);
    assert_eq!(transaction.add, [Element::Endpoint(1, 1, "10.0.0.9:80".parse().unwrap())]);
    assert_eq!(transaction.len(), 2);
    assert!(apply(&mut renderer, &web).is_empty(), "the same again changes nothing");
}

#[test]
fn a_removed_endpoint_leaves_no_hole() {
    let mut renderer = Renderer::new(Family::V4);
    let addresses = ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80", "10.0.0.4:80"];
    let mut web = port("web", "10.96.0.1", endpoints(&addresses));
    apply(&mut renderer, &web);
    web.cluster_endpoints.remove(0);
    apply(&mut renderer, &web);
    let mut left: Vec<(u32, SocketAddr)> = renderer
        .elements()
        .into_iter()
        .filter_map(|element| match element {
            Element::Endpoint(_, index, address) => Some((index, address)),
            _ => None,
        })
        .collect();
    left.sort_unstable();
    let expected = [(0, "10.0.0.4:80"), (1, "10.0.0.2:80"), (2, "10.0.0.3:80")];
    assert_eq!(
        left,
        expected.map(|(index, address)| (index, address.parse().unwrap())),
        "the last one moves up"
    );
}

#[test]
fn services_of_one_shape_share_a_chain() {
    let mut renderer = Renderer::new(Family::V4);
    let (a, b) = (
        port("a", "10.96.0.1", endpoints(&["10.0.0.1:80"])),
        port("b", "10.96.0.2", endpoints(&["10.0.0.2:80"])),
    );
    assert_eq!(apply(&mut renderer, &a).add_chains.len(), 1);
    assert!(apply(&mut renderer, &b).add_chains.is_empty());
    assert!(
        renderer.apply(&[], std::slice::from_ref(&a.key)).delete_chains.is_empty(),
        "still used by b"
    );
    assert_eq!(renderer.apply(&[], std::slice::from_ref(&b.key)).delete_chains.len(), 1);
    assert!(renderer.elements().is_empty());
}

#[test]
fn without_endpoints_it_refuses_and_without_local_ones_it_drops() {
    let mut renderer = Renderer::new(Family::V4);
    let mut web = port("web", "10.96.0.1", Vec::new());
    apply(&mut renderer, &web);
    assert_eq!(target(&renderer, &web).mode, Mode::Reject);
    web.cluster_endpoints =
        vec![Endpoint { address: "10.0.0.1:80".parse().unwrap(), local: false }];
    apply(&mut renderer, &web);
    assert_eq!(target(&renderer, &web).mode, Mode::MasqueradeOutside);
    web.internal_policy = TrafficPolicy::Local;
    apply(&mut renderer, &web);
    assert_eq!(
        target(&renderer, &web),
        Target { group: 0, mode: Mode::Drop, endpoints: 0, affinity: 0, restricted: false }
    );
}

#[test]
fn of_two_claims_on_a_node_port_the_first_by_name_has_it() {
    let mut renderer = Renderer::new(Family::V4);
    let frontend = Frontend::NodePort(Protocol::Tcp, 30080);
    let mut late = port("zz", "10.96.0.1", endpoints(&["10.0.0.1:80"]));
    let mut early = port("aa", "10.96.0.2", endpoints(&["10.0.0.2:80"]));
    (late.node_port, early.node_port) = (Some(30080), Some(30080));
    apply(&mut renderer, &late);
    let of_late = renderer.target(frontend).unwrap();
    apply(&mut renderer, &early);
    let of_early = renderer.target(frontend).unwrap();
    assert_ne!(of_early.group, of_late.group);
    renderer.apply(&[], std::slice::from_ref(&early.key));
    assert_eq!(renderer.target(frontend), Some(of_late), "it takes over");
}

#[test]
fn ports_of_the_other_family_are_passed_over() {
    let mut renderer = Renderer::new(Family::V6);
    assert!(
        apply(&mut renderer, &port("web", "10.96.0.1", endpoints(&["10.0.0.1:80"]))).is_empty()
    );
}

#[test]
fn a_large_batch_is_split_below_the_limits_of_a_message() {
    let mut renderer = Renderer::new(Family::V6);
    let many = (0..5000_u32).map(|number| Endpoint {
        address: SocketAddr::new(
            std::net::Ipv6Addr::from_bits(u128::from(number) | 0xfd << 120).into(),
            80,
        ),
        local: false,
    });
    let transaction = apply(&mut renderer, &port("many", "fd96::1", many.collect()));
    let layout = layout::Layout::new(Family::V6, Settings::default());
    let batch = encode::batch(&layout, &transaction, &PolicyChange::default(), true);
    let mut rest = batch.bytes();
    while !rest.is_empty() {
        let len = u32::from_ne_bytes(rest[..4].try_into().unwrap()) as usize;
        assert!((20..65_536).contains(&len) && len.is_multiple_of(4), "a message of {len} bytes");
        rest = &rest[len..];
    }
}

#[test]
fn nobody_takes_a_cluster_address_or_a_reserved_one_as_an_external_one() {
    let dns: IpAddr = "10.96.0.10".parse().unwrap();
    let mut renderer = Renderer::new(Family::V4).reserving(&[dns]);
    let victim = port("zz", "10.96.0.1", endpoints(&["10.0.0.1:80"]));
    let mut thief = port("aa", "10.96.0.2", endpoints(&["10.0.0.2:80"]));
    thief.external_ips = vec![victim.cluster_ip, dns];
    thief.load_balancer_ips = vec![dns];
    apply(&mut renderer, &thief);
    let taken = target(&renderer, &victim);
    apply(&mut renderer, &victim);
    let own = target(&renderer, &victim);
    assert_ne!(own.group, taken.group, "it is its owner's, whoever comes first by name or time");
    assert_eq!(renderer.target(Frontend::Address(dns, Protocol::Tcp, 80)), None);
    renderer.apply(&[], &[victim.key, thief.key]);
    assert!(renderer.elements().is_empty());
}
