use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::time::timeout;

use super::*;
use crate::model::{Endpoint, Family, NamespacedName, ServicePortName};

const DEADLINE: Duration = Duration::from_secs(5);

/// A server that says its name, over TCP and UDP, on a port of its own.
async fn server(name: &'static str) -> Endpoint {
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = tcp.local_addr().unwrap();
    let udp = UdpSocket::bind(address).await.unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = tcp.accept().await {
            stream.write_all(name.as_bytes()).await.unwrap();
        }
    });
    tokio::spawn(async move {
        let mut buffer = [0; 16];
        while let Ok((_, peer)) = udp.recv_from(&mut buffer).await {
            udp.send_to(name.as_bytes(), peer).await.unwrap();
        }
    });
    Endpoint { address, local: true }
}

fn port(protocol: Protocol, endpoints: Vec<Endpoint>) -> ServicePort {
    let name = ServicePortName {
        service: NamespacedName::new("default", "web"),
        port: "".into(),
        protocol,
    };
    ServicePort {
        key: PortKey { name: Arc::new(name), family: Family::V4 },
        cluster_ip: "10.96.0.1".parse().unwrap(),
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
        local_endpoints: endpoints.clone(),
        cluster_endpoints: endpoints,
    }
}

async fn apply(backend: &mut UserspaceBackend, port: &ServicePort) -> SocketAddr {
    backend.apply(&Change::to(vec![Arc::new(port.clone())])).await.unwrap();
    backend.forwarders().address_of(&port.key).expect("it is served")
}

async fn get(address: SocketAddr) -> String {
    let mut answer = String::new();
    let mut stream = TcpStream::connect(address).await.unwrap();
    timeout(DEADLINE, stream.read_to_string(&mut answer))
        .await
        .expect("in time")
        .unwrap_or_default();
    answer
}

async fn ask(socket: &UdpSocket, address: SocketAddr) -> String {
    let mut buffer = [0; 16];
    socket.send_to(b"?", address).await.unwrap();
    let (len, _) =
        timeout(DEADLINE, socket.recv_from(&mut buffer)).await.expect("in time").unwrap();
    String::from_utf8_lossy(&buffer[..len]).into_owned()
}

#[tokio::test]
async fn tcp_goes_round_and_follows_changes() {
    let mut backend = UserspaceBackend::new(UserspaceConfig::default());
    let (a, b) = (server("a").await, server("b").await);
    let address = apply(&mut backend, &port(Protocol::Tcp, vec![a, b])).await;
    let answers = [get(address).await, get(address).await, get(address).await];
    assert_ne!(answers[0], answers[1]);
    assert_eq!(answers[0], answers[2]);
    assert_eq!(
        apply(&mut backend, &port(Protocol::Tcp, vec![b])).await,
        address,
        "the address stays"
    );
    assert_eq!([get(address).await, get(address).await], ["b", "b"]);
    assert_eq!(apply(&mut backend, &port(Protocol::Tcp, Vec::new())).await, address);
    assert_eq!(get(address).await, "", "closed at once");
}

/// Sends back all that comes, and ends when its client does.
async fn echo() -> Endpoint {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let (mut from, mut to) = stream.split();
        tokio::io::copy(&mut from, &mut to).await.unwrap();
        to.shutdown().await.unwrap();
    });
    Endpoint { address, local: true }
}

#[tokio::test]
async fn bulk_and_words_go_both_ways_unchanged() {
    let mut backend = UserspaceBackend::new(UserspaceConfig::default());
    for length in [1, 8 << 10, (32 << 10) + 1, 5_000_003] {
        let address = apply(&mut backend, &port(Protocol::Tcp, vec![echo().await])).await;
        let sent: Vec<u8> =
            (0..length).map(|n: u32| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let (mut from, mut to) = TcpStream::connect(address).await.unwrap().into_split();
        let all = sent.clone();
        let sending = tokio::spawn(async move {
            to.write_all(&all).await.unwrap();
            to.shutdown().await.unwrap();
        });
        let mut received = Vec::new();
        timeout(DEADLINE, from.read_to_end(&mut received)).await.expect("it ends").unwrap();
        sending.await.unwrap();
        assert!(received == sent, "{length}: {} came back", received.len());
    }
}

#[tokio::test]
async fn a_dead_endpoint_is_passed_over() {
    let mut backend = UserspaceBackend::new(UserspaceConfig::default());
    let dead = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let live = server("live").await;
    let mut port = port(Protocol::Tcp, vec![Endpoint { address: dead, local: true }, live]);
    port.affinity = Some(60);
    let address = apply(&mut backend, &port).await;
    assert_eq!([get(address).await, get(address).await], ["live", "live"]);
}

#[tokio::test]
async fn affinity_keeps_a_client_with_its_endpoint() {
    let mut backend = UserspaceBackend::new(UserspaceConfig::default());
    let mut port = port(Protocol::Tcp, vec![server("a").await, server("b").await]);
    port.affinity = Some(60);
    let address = apply(&mut backend, &port).await;
    let first = get(address).await;
    for _ in 0..4 {
        assert_eq!(get(address).await, first);
    }
}

#[tokio::test(start_paused = true)]
async fn affinity_ends_with_its_timeout() {
    let balancer = Balancer::default();
    let endpoints: Vec<SocketAddr> =
        vec!["10.0.0.1:80".parse().unwrap(), "10.0.0.2:80".parse().unwrap()];
    balancer.update(endpoints, Some(10));
    let client = "192.0.2.1".parse().unwrap();
    let first = balancer.pick(client);
    tokio::time::advance(Duration::from_secs(9)).await;
    assert_eq!(balancer.pick(client), first, "and begins anew");
    tokio::time::advance(Duration::from_secs(9)).await;
    assert_eq!(balancer.pick(client), first);
    tokio::time::advance(Duration::from_secs(10)).await;
    assert_ne!(balancer.pick(client), first);
}

#[tokio::test]
async fn udp_sessions_follow_changes() {
    let mut backend = UserspaceBackend::new(UserspaceConfig::default());
    let (a, b) = (server("a").await, server("b").await);
    let address = apply(&mut backend, &port(Protocol::Udp, vec![a])).await;
    let client = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    assert_eq!(ask(&client, address).await, "a");
    assert_eq!(ask(&client, address).await, "a");
    apply(&mut backend, &port(Protocol::Udp, vec![b])).await;
    assert_eq!(ask(&client, address).await, "b", "the old endpoint is gone");
}

#[tokio::test]
async fn node_ports_are_bound_and_let_go() {
    let config = UserspaceConfig {
        node_port_addresses: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
        ..Default::default()
    };
    let mut backend = UserspaceBackend::new(config);
    let mut port = port(Protocol::Tcp, vec![server("a").await]);
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    port.node_port = Some(free.port());
    apply(&mut backend, &port).await;
    assert_eq!(get(free).await, "a");
    backend.resync(&Change::default()).await.unwrap();
    assert!(backend.forwarders().all().is_empty());
}

#[tokio::test]
async fn a_node_port_that_is_taken_keeps_nothing_from_being_served_and_is_tried_again() {
    let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let config = UserspaceConfig { node_port_addresses: vec![ip], ..Default::default() };
    let mut backend = UserspaceBackend::new(config);
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let node_port = taken.local_addr().unwrap();
    let mut port = port(Protocol::Tcp, vec![server("a").await]);
    port.node_port = Some(node_port.port());
    let forwarder = apply(&mut backend, &port).await;
    assert_eq!(get(forwarder).await, "a");
    drop(taken);
    timeout(Duration::from_secs(3), backend.lost()).await.unwrap_err();
    assert_eq!(get(node_port).await, "a");
}

#[tokio::test]
async fn both_families_have_the_same_node_port() {
    if TcpListener::bind("[::1]:0").await.is_err() {
        println!("no IPv6 here: nothing to see");
        return;
    }
    let any: Vec<IpAddr> =
        vec![Ipv4Addr::UNSPECIFIED.into(), std::net::Ipv6Addr::UNSPECIFIED.into()];
    let config = UserspaceConfig { node_port_addresses: any, ..Default::default() };
    for protocol in [Protocol::Tcp, Protocol::Udp] {
        let mut backend = UserspaceBackend::new(config.clone());
        let mut v4 = port(protocol, vec![server("a").await]);
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        v4.node_port = Some(free.port());
        let mut v6 = v4.clone();
        v6.key.family = Family::V6;
        v6.cluster_ip = "fd96::1".parse().unwrap();
        backend.apply(&Change::to(vec![Arc::new(v4), Arc::new(v6)])).await.unwrap();
        for served in backend.served.values() {
            assert_eq!((served.node_ports.len(), served.missing.len()), (1, 0), "{protocol}");
        }
    }
}

#[test]
fn node_ports_can_be_limited_to_networks() {
    let limited = |networks: &[&str]| {
        let networks: Vec<_> = networks.iter().map(|network| network.parse().unwrap()).collect();
        UserspaceConfig::default().node_ports_in(&networks).unwrap().node_port_addresses
    };
    let any = |text: &str| text.parse::<IpAddr>().unwrap();
    assert_eq!(limited(&[]), [any("0.0.0.0"), any("::")]);
    assert_eq!(limited(&["127.0.0.0/8"]), [any("127.0.0.1"), any("::")]);
    assert_eq!(limited(&["203.0.113.77/32"]), [any("::")], "no such address here");
}

#[tokio::test]
async fn a_udp_session_lasts_while_its_client_sends() {
    let endpoint = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = endpoint.local_addr().unwrap();
    let mut backend = UserspaceBackend::new(UserspaceConfig::default());
    let port = port(Protocol::Udp, vec![Endpoint { address, local: true }]);
    let forwarder = apply(&mut backend, &port).await;
    let client = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut from = std::collections::BTreeSet::new();
    tokio::time::pause();
    // An endpoint that never answers, a log's say, has one client for as long as that one sends.
    for _ in 0..4 {
        client.send_to(b"line", forwarder).await.unwrap();
        let mut buffer = [0; 8];
        from.insert(endpoint.recv_from(&mut buffer).await.unwrap().1);
        tokio::time::advance(Duration::from_secs(20)).await;
    }
    assert_eq!(from.len(), 1);
}
