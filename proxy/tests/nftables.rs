//! The nftables backend against the real kernel, packet by packet.
#![allow(clippy::unwrap_used)]

mod lab;

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use lab::*;
use tokio::net::UdpSocket;
use tokio::time::timeout;
use windlass_proxy::backend::nftables::{NftablesBackend, Settings};
use windlass_proxy::model::*;

const IP: &str = "10.96.0.10";
const ADDRESS: &str = "10.96.0.10:80";

fn served(lab: &Lab, updated: Vec<ServicePort>) -> NftablesBackend {
    served_with(lab, Settings::default(), updated)
}

fn served_with(lab: &Lab, settings: Settings, updated: Vec<ServicePort>) -> NftablesBackend {
    for (number, pod) in lab.pods.iter().enumerate() {
        pod.serve(&format!("{}:8080", pod_ip(number)));
    }
    lab.apply(lab.synced(lab.backend_with(settings)), updated, Vec::new())
}

#[test]
fn without_root_it_says_what_to_do() {
    if nix::unistd::geteuid().is_root() {
        return as_nobody("without_root_it_says_what_to_do");
    }
    let error = NftablesBackend::open(&Settings::default()).unwrap_err();
    let line = error.to_string();
    assert!(line.contains("run as root") && line.contains("userspace"), "{line}");
}

/// Runs one of these tests as a user without rights.
fn as_nobody(test: &str) {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("tests");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let ended = std::process::Command::new(program)
        .args(["--exact", test])
        .current_dir("/")
        .gid(65534)
        .uid(65534)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
fn a_refused_transaction_leaves_everything_as_it_was() {
    use windlass_proxy::backend::{Backend, BackendError, Change};
    let Some(lab) = Lab::new("refused", 2) else { return };
    let mut backend = served(&lab, vec![service("gone", "10.96.0.30", pods([0]))]);
    // Another program puts a table of its own there: what the backend then deletes is not in it.
    let mut other = lab.backend();
    let web = std::sync::Arc::new(service("web", IP, pods([0])));
    let of_other = Change::to(vec![web.clone()]);
    let new = std::sync::Arc::new(service("new", "10.96.0.31", pods([0])));
    let (backend, result) = lab.node.run(move || async move {
        other.resync(&of_other).await.unwrap();
        let removed = vec![service("gone", "10.96.0.30", Vec::new()).key];
        let change = Change { removed, ..Change::to(vec![new]) };
        let result = backend.apply(&change).await;
        (backend, result)
    });
    assert!(matches!(result, Err(BackendError::Refused(_))), "{result:?}");
    assert_eq!(lab.pods[1].get(ADDRESS).unwrap().0, "pod0", "it goes on as before");
    assert!(lab.pods[1].get("10.96.0.31:80").is_err(), "nothing of it was carried out");
    let mut backend = backend;
    let state = Change::to(vec![std::sync::Arc::new(service("new", "10.96.0.31", pods([0])))]);
    lab.node.run(move || async move { backend.resync(&state).await.unwrap() });
    assert_eq!(lab.pods[1].get("10.96.0.31:80").unwrap().0, "pod0");
    assert_ne!(lab.pods[1].get(ADDRESS).map(|answer| answer.0), Ok("pod0".to_owned()));
}

#[test]
fn of_two_claims_on_a_node_port_one_has_it_and_the_other_takes_over() {
    let Some(lab) = Lab::new("claims", 3) else { return };
    let (mut first, mut second) =
        (service("aa", IP, pods([0])), service("zz", "10.96.0.11", pods([1])));
    (first.node_port, second.node_port) = (Some(30080), Some(30080));
    let key = first.key.clone();
    let backend = served(&lab, vec![second, first]);
    let node_port = format!("{NODE_IP}:30080");
    assert_eq!(lab.outside.servers(&node_port, 10).keys().collect::<Vec<_>>(), ["pod0"]);
    assert_eq!(lab.pods[2].get("10.96.0.11:80").unwrap().0, "pod1", "all else of it works");
    let _backend = lab.apply(backend, Vec::new(), vec![key]);
    assert_eq!(lab.outside.servers(&node_port, 10).keys().collect::<Vec<_>>(), ["pod1"]);
}

#[test]
fn cluster_ip() {
    let Some(lab) = Lab::new("cip", 3) else { return };
    let _backend = served(&lab, vec![service("web", IP, pods([0, 1]))]);
    let servers = lab.pods[2].servers(ADDRESS, 60);
    assert_eq!(servers.len(), 2, "both endpoints serve: {servers:?}");
    let (_, seen_as) = lab.pods[2].get(ADDRESS).unwrap();
    assert_eq!(seen_as, pod_ip(2), "a pod keeps its address");
    assert_eq!(lab.node.servers(ADDRESS, 40).len(), 2);
    let (_, seen_as) = lab.outside.get(ADDRESS).unwrap();
    assert_ne!(seen_as, OUTSIDE_IP, "what comes from outside is masqueraded");
}

#[test]
fn node_port() {
    let Some(lab) = Lab::new("nport", 2) else { return };
    let mut port = service("web", IP, pods([0]));
    port.node_port = Some(30080);
    let _backend = served(&lab, vec![port]);
    let address = format!("{NODE_IP}:30080");
    for (from, who) in [(&lab.node, "node"), (&lab.pods[1], "pod"), (&lab.outside, "outside")] {
        let (server, seen_as) =
            from.get(&address).unwrap_or_else(|error| panic!("from {who}: {error}"));
        assert_eq!(server, "pod0");
        assert_ne!(seen_as, OUTSIDE_IP);
    }
    assert_eq!(
        lab.node.get("127.0.0.1:30080"),
        Err(ErrorKind::ConnectionRefused),
        "not on loopback"
    );
    assert_eq!(lab.pods[1].get(ADDRESS).unwrap().0, "pod0", "the cluster address works besides");
}

#[test]
fn external_ip_and_policy_local() {
    let Some(lab) = Lab::new("local", 2) else { return };
    let mut port = service("web", IP, pods([0, 1]));
    port.node_port = Some(30080);
    port.external_ips = vec!["203.0.113.7".parse().unwrap()];
    port.external_policy = TrafficPolicy::Local;
    // Pod 1 pretends to run elsewhere.
    port.cluster_endpoints[1].local = false;
    port.local_endpoints.truncate(1);
    let backend = served(&lab, vec![port.clone()]);
    for address in ["203.0.113.7:80".to_owned(), format!("{NODE_IP}:30080")] {
        assert_eq!(lab.outside.servers(&address, 20).keys().collect::<Vec<_>>(), ["pod0"]);
        assert_eq!(lab.outside.get(&address).unwrap().1, OUTSIDE_IP, "the source is kept");
        assert_eq!(
            lab.pods[0].servers(&address, 40).len(),
            2,
            "inside the cluster any endpoint serves"
        );
        assert_eq!(lab.node.servers(&address, 40).len(), 2);
    }
    port.local_endpoints.clear();
    port.cluster_endpoints.remove(0);
    let _backend = lab.apply(backend, vec![port], Vec::new());
    assert_eq!(
        lab.outside.get("203.0.113.7:80"),
        Err(ErrorKind::TimedOut),
        "no local endpoint: dropped"
    );
    assert_eq!(lab.pods[0].get("203.0.113.7:80").unwrap().0, "pod1");
}

#[test]
fn load_balancer_source_ranges() {
    let Some(lab) = Lab::new("ranges", 2) else { return };
    let mut port = service("web", IP, pods([0]));
    port.load_balancer_ips = vec!["203.0.113.7".parse().unwrap()];
    port.external_ips = vec!["203.0.113.8".parse().unwrap()];
    let only = |networks: &[&str]| {
        networks.iter().map(|network| network.parse::<Network>().unwrap().range()).collect()
    };
    port.source_ranges = only(&["10.77.0.0/24", "198.51.100.0/24"]);
    let backend = served(&lab, vec![port.clone()]);
    assert_eq!(lab.pods[1].get("203.0.113.7:80").unwrap().0, "pod0");
    assert_eq!(
        lab.outside.get("203.0.113.7:80"),
        Err(ErrorKind::TimedOut),
        "a stranger is dropped"
    );
    assert_eq!(
        lab.outside.get("203.0.113.8:80").unwrap().0,
        "pod0",
        "only the load balancer's address"
    );
    port.source_ranges = only(&["192.168.77.2/32", "198.51.100.0/24"]);
    let backend = lab.apply(backend, vec![port.clone()], Vec::new());
    assert_eq!(lab.outside.get("203.0.113.7:80").unwrap().0, "pod0");
    assert_eq!(lab.pods[1].get("203.0.113.7:80"), Err(ErrorKind::TimedOut));
    port.source_ranges.clear();
    let _backend = lab.apply(backend, vec![port], Vec::new());
    assert_eq!(lab.pods[1].get("203.0.113.7:80").unwrap().0, "pod0", "nobody is kept out");
}

#[test]
fn affinity() {
    let Some(lab) = Lab::new("aff", 4) else { return };
    let mut port = service("web", IP, pods([0, 1, 2]));
    port.affinity = Some(10_800);
    let backend = served(&lab, vec![port.clone()]);
    let first = lab.pods[3].servers(ADDRESS, 20);
    assert_eq!(first.len(), 1, "one endpoint only: {first:?}");
    let chosen = lab.pods[3].get(ADDRESS).unwrap().0;
    let gone: usize = chosen.trim_start_matches("pod").parse().unwrap();
    let rest: Vec<usize> = (0..3).filter(|pod| *pod != gone).collect();
    (port.cluster_endpoints, port.local_endpoints) = (pods(rest.clone()), pods(rest));
    let backend = lab.apply(backend, vec![port.clone()], Vec::new());
    let second = lab.pods[3].servers(ADDRESS, 20);
    assert_eq!(second.len(), 1, "another one, and stays there: {second:?}");
    assert!(!second.contains_key(&chosen));
    port.affinity = Some(1);
    let _backend = lab.apply(backend, vec![port], Vec::new());
    assert_eq!(lab.pods[3].servers(ADDRESS, 20).len(), 1);
    // The kernel tells nobody when it forgets: so a client that stays away longer, until it is led elsewhere.
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    let first = lab.pods[3].get(ADDRESS).unwrap().0;
    loop {
        assert!(std::time::Instant::now() < deadline, "it is never forgotten");
        std::thread::sleep(Duration::from_millis(1500));
        if lab.pods[3].get(ADDRESS).unwrap().0 != first {
            return;
        }
    }
}

#[test]
fn clients_beyond_what_can_be_remembered_are_served_all_the_same() {
    let Some(lab) = Lab::new("afull", 4) else { return };
    let mut port = service("web", IP, pods([0, 1]));
    port.affinity = Some(10_800);
    let settings = Settings { affinity_clients: 1, ..Settings::default() };
    let _backend = served_with(&lab, settings, vec![port]);
    assert_eq!(lab.pods[2].servers(ADDRESS, 10).len(), 1, "the first one is remembered");
    assert_eq!(lab.pods[3].servers(ADDRESS, 40).len(), 2, "the second one goes anywhere");
}

#[test]
fn node_ports_answer_on_the_chosen_addresses_only() {
    let Some(lab) = Lab::new("npaddr", 2) else { return };
    lab.node.ip("addr add 192.168.78.1/32 dev out0");
    let mut port = service("web", IP, pods([0]));
    port.node_port = Some(30080);
    port.external_policy = TrafficPolicy::Local;
    let node_port_addresses = ["192.168.79.0/24", "192.168.77.0/24"];
    let node_port_addresses = node_port_addresses.map(|network| network.parse().unwrap()).into();
    let settings = Settings { node_port_addresses, ..Settings::default() };
    let _backend = served_with(&lab, settings, vec![port]);
    for from in [&lab.outside, &lab.pods[1]] {
        assert_eq!(from.get(&format!("{NODE_IP}:30080")).unwrap().0, "pod0", "{}", from.name);
        assert_eq!(from.get("192.168.78.1:30080"), Err(ErrorKind::ConnectionRefused));
    }
}

#[test]
fn a_cluster_address_stays_with_its_service_for_everybody() {
    let Some(lab) = Lab::new("thief", 3) else { return };
    let mut thief = service("aa", "10.96.0.66", pods([1]));
    thief.external_ips = vec![IP.parse().unwrap()];
    thief.external_policy = TrafficPolicy::Local;
    let _backend = served(&lab, vec![thief, service("zz", IP, pods([0]))]);
    for from in [&lab.outside, &lab.pods[2], &lab.node] {
        let servers = from.servers(ADDRESS, 5);
        assert_eq!(servers.keys().collect::<Vec<_>>(), ["pod0"], "{}", from.name);
    }
}

#[test]
fn only_local_endpoints_serve_under_the_internal_policy_local() {
    let Some(lab) = Lab::new("itp", 3) else { return };
    let mut port = service("web", IP, pods([0, 1]));
    port.internal_policy = TrafficPolicy::Local;
    // Pod 1 pretends to run elsewhere.
    port.cluster_endpoints[1].local = false;
    port.local_endpoints.truncate(1);
    let backend = served(&lab, vec![port.clone()]);
    assert_eq!(lab.pods[2].servers(ADDRESS, 20).keys().collect::<Vec<_>>(), ["pod0"]);
    port.local_endpoints.clear();
    port.cluster_endpoints.remove(0);
    let _backend = lab.apply(backend, vec![port], Vec::new());
    assert_eq!(lab.pods[2].get(ADDRESS), Err(ErrorKind::TimedOut), "dropped");
}

#[test]
fn endpoints_outside_the_pods_networks_serve_too() {
    let Some(lab) = Lab::new("ext", 1) else { return };
    lab.outside.serve(&format!("{OUTSIDE_IP}:8080"));
    let _backend =
        served(&lab, vec![service("ext", IP, vec![endpoint(&format!("{OUTSIDE_IP}:8080"))])]);
    assert_eq!(lab.pods[0].get(ADDRESS).unwrap().0, "outside");
    assert_eq!(lab.node.get(ADDRESS).unwrap().0, "outside");
}

/// A kernel without SCTP sockets passes its packets on all the same.
#[test]
fn sctp() {
    use rustix::net::{AddressFamily, SocketType, ipproto, recv, sendto, sockopt};
    let Some(lab) = Lab::new("sctp", 2) else { return };
    let _backend = served(&lab, vec![over(Protocol::Sctp, service("sctp", IP, pods([0])))]);
    let raw = || async {
        let raw = rustix::net::socket(AddressFamily::INET, SocketType::RAW, Some(ipproto::SCTP));
        let raw = raw.unwrap();
        let patience = Some(Duration::from_secs(5));
        sockopt::set_socket_timeout(&raw, sockopt::Timeout::Recv, patience).unwrap();
        raw
    };
    let (server, client) = (lab.pods[0].run(raw), lab.pods[1].run(raw));
    let to = SocketAddr::new(IP.parse().unwrap(), 0);
    sendto(&client, &sctp_init(5555, 80), rustix::net::SendFlags::empty(), &to).unwrap();
    let mut buffer = [0; 256];
    let received = recv(&server, &mut buffer, rustix::net::RecvFlags::empty());
    let length = received.expect("it comes to the endpoint").0;
    let (header, packet) = buffer[..length].split_at(20);
    assert_eq!(
        std::net::Ipv4Addr::from_octets(header[12..16].try_into().unwrap()).to_string(),
        pod_ip(1)
    );
    assert_eq!(packet, sctp_init(5555, 8080), "the endpoint's port, and its checksum");
}

/// A first packet (RFC 9260): the header, and a chunk INIT.
fn sctp_init(from: u16, to: u16) -> Vec<u8> {
    let mut packet = Vec::new();
    packet.extend([from.to_be_bytes(), to.to_be_bytes()].concat());
    packet.extend([0; 8]);
    packet.extend([1, 0, 0, 20]);
    packet.extend([7_u32, 65_536].map(u32::to_be_bytes).concat());
    packet.extend([1_u16, 1].map(u16::to_be_bytes).concat());
    packet.extend(1_u32.to_be_bytes());
    let sum = crc32c(&packet).to_le_bytes();
    packet[8..12].copy_from_slice(&sum);
    packet
}

fn crc32c(bytes: &[u8]) -> u32 {
    let step = |sum: u32| if sum & 1 == 1 { (sum >> 1) ^ 0x82f6_3b78 } else { sum >> 1 };
    !bytes.iter().fold(!0, |sum, byte| (0..8).fold(sum ^ u32::from(*byte), |sum, _| step(sum)))
}

#[test]
fn udp_clients_that_came_before_the_service_get_through() {
    let Some(lab) = Lab::new("udpnp", 1) else { return };
    let (node_port, client) = (format!("{NODE_IP}:30053"), format!("{OUTSIDE_IP}:5555"));
    let backend = served(&lab, Vec::new());
    let ask = |wait: Duration| {
        let (node_port, client) = (node_port.clone(), client.clone());
        lab.outside.run(move || async move {
            let socket = UdpSocket::bind(client).await.unwrap();
            socket.send_to(b"?", node_port).await.unwrap();
            let mut buffer = [0; 64];
            let received = timeout(wait, socket.recv_from(&mut buffer)).await;
            received.is_ok_and(|received| {
                received.is_ok_and(|(len, _)| buffer[..len].starts_with(b"pod0 "))
            })
        })
    };
    // Somebody of the node listens there, so that the kernel remembers the connection as it is.
    let listener = lab.node.run({
        let node_port = node_port.clone();
        move || async move { UdpSocket::bind(node_port).await.unwrap() }
    });
    assert!(!ask(Duration::from_millis(200)));
    let mut port = udp(service("dns", IP, pods([0])));
    port.node_port = Some(30053);
    let _backend = lab.apply(backend, vec![port], Vec::new());
    assert!(ask(Duration::from_secs(3)), "the same client port: its old entry is cleared");
    drop(listener);
}

#[test]
fn no_endpoints() {
    let Some(lab) = Lab::new("none", 2) else { return };
    let mut port = service("nobody", IP, Vec::new());
    port.node_port = Some(30080);
    let quiet = udp(service("quiet", "10.96.0.11", Vec::new()));
    let web = service("web", "10.96.0.12", pods([0]));
    let _backend = served(&lab, vec![port, quiet, web]);
    for from in [&lab.pods[1], &lab.node, &lab.outside] {
        assert_eq!(from.get(ADDRESS), Err(ErrorKind::ConnectionRefused), "from {}", from.name);
        assert_eq!(
            from.get(&format!("{NODE_IP}:30080")),
            Err(ErrorKind::ConnectionRefused),
            "from {}",
            from.name
        );
        assert_eq!(
            from.get("10.96.0.12:81"),
            Err(ErrorKind::ConnectionRefused),
            "another port of a cluster address"
        );
    }
    let refused = lab.pods[1].run(|| async {
        let socket = UdpSocket::bind("0.0.0.0:0").await.unwrap();
        socket.connect("10.96.0.11:80").await.unwrap();
        socket.send(b"?").await.unwrap();
        timeout(Duration::from_secs(3), socket.recv(&mut [0; 8]))
            .await
            .expect("an answer")
            .unwrap_err()
            .kind()
    });
    assert_eq!(refused, ErrorKind::ConnectionRefused);
}

#[test]
fn hairpin() {
    let Some(lab) = Lab::new("hair", 1) else { return };
    let _backend = served(&lab, vec![service("self", IP, pods([0]))]);
    let (server, seen_as) = lab.pods[0].get(ADDRESS).unwrap();
    assert_eq!(server, "pod0");
    assert_ne!(seen_as, pod_ip(0), "else it would not accept the packet");
}

#[test]
fn pods_on_a_bridge_with_isolated_ports() {
    let Some(lab) = Lab::with_bridge("bridge", 3) else { return };
    let _backend = served(&lab, vec![service("web", IP, pods([0, 1]))]);
    assert_eq!(lab.pods[2].servers(ADDRESS, 40).len(), 2);
    assert_eq!(lab.pods[2].get(ADDRESS).unwrap().1, pod_ip(2), "a pod keeps its address");
    assert_eq!(lab.pods[0].servers(ADDRESS, 40).len(), 2, "its own endpoint is one of them");
    assert_eq!(lab.pods[2].get(&format!("{}:8080", pod_ip(0))).unwrap().0, "pod0");
}

#[test]
fn udp_clients_follow_their_service() {
    let Some(lab) = Lab::new("udp", 3) else { return };
    let backend = served(&lab, vec![udp(service("dns", IP, pods([0])))]);
    let ask = |lab: &Lab| {
        lab.pods[2].run(|| async {
            let socket = UdpSocket::bind(format!("{}:5555", pod_ip(2))).await.unwrap();
            socket.send_to(b"?", ADDRESS.parse::<SocketAddr>().unwrap()).await.unwrap();
            let mut buffer = [0; 64];
            let (len, _) = timeout(Duration::from_secs(3), socket.recv_from(&mut buffer))
                .await
                .expect("an answer")
                .unwrap();
            String::from_utf8_lossy(&buffer[..len]).into_owned()
        })
    };
    assert!(ask(&lab).starts_with("pod0 "));
    let _backend = lab.apply(backend, vec![udp(service("dns", IP, pods([1])))], Vec::new());
    assert!(
        ask(&lab).starts_with("pod1 "),
        "the same client port, so only a cleared entry leads elsewhere"
    );
}

#[test]
fn a_new_start_replaces_what_was_there() {
    let Some(lab) = Lab::new("start", 2) else { return };
    let first = served(&lab, vec![service("old", IP, pods([0]))]);
    drop(first);
    let mut second = lab.backend();
    assert_eq!(
        lab.pods[1].get(ADDRESS).unwrap().0,
        "pod0",
        "until the first sync the old rules work"
    );
    let second = lab.node.run(move || async move {
        use windlass_proxy::backend::{Backend, Change};
        let state = Change::to(vec![std::sync::Arc::new(service("new", "10.96.0.20", pods([0])))]);
        Backend::resync(&mut second, &state).await.unwrap();
        second
    });
    assert_eq!(lab.pods[1].get("10.96.0.20:80").unwrap().0, "pod0");
    assert_ne!(lab.pods[1].get(ADDRESS).map(|answer| answer.0), Ok("pod0".to_owned()));
    second.remove().unwrap();
    assert!(lab.pods[1].get("10.96.0.20:80").is_err());
}

#[test]
fn a_flush_by_someone_else_is_mended_by_a_resync() {
    use windlass_proxy::backend::{Backend, BackendError, Change};
    let Some(lab) = Lab::new("flush", 2) else { return };
    let mut backend = served(&lab, vec![service("web", IP, pods([0]))]);
    lab.backend().remove().unwrap();
    let result = lab.node.run(move || async move {
        let port = std::sync::Arc::new(service("web", IP, pods([0, 1])));
        let change = Change::to(vec![port.clone()]);
        let refused = backend.apply(&change).await;
        backend.resync(&Change::to(vec![port])).await.unwrap();
        refused
    });
    assert!(matches!(result, Err(BackendError::Refused(_))), "{result:?}");
    assert_eq!(lab.pods[0].servers(ADDRESS, 40).len(), 2);
}

#[test]
fn a_flush_by_someone_else_is_noticed() {
    use windlass_proxy::backend::{Backend, Change};
    let Some(lab) = Lab::new("lost", 1) else { return };
    let backend = lab.backend();
    let other = lab.backend();
    let (mut backend, noticed) = lab.node.run(move || async move {
        let mut backend = backend;
        let port = std::sync::Arc::new(service("web", IP, pods([0])));
        backend.resync(&Change::default()).await.unwrap();
        backend.apply(&Change::to(vec![port])).await.unwrap();
        let own = timeout(Duration::from_millis(300), backend.lost()).await;
        assert!(own.is_err(), "its own changes are no loss");
        let (noticed, _) = tokio::join!(timeout(Duration::from_secs(5), backend.lost()), async {
            other.remove().unwrap()
        });
        (backend, noticed)
    });
    assert!(noticed.is_ok(), "the table is gone");
    let again = lab.node.run(move || async move {
        backend.resync(&Change::default()).await.unwrap();
        timeout(Duration::from_millis(300), backend.lost()).await
    });
    assert!(again.is_err(), "mended");
}

#[test]
fn ipv6() {
    let Some(lab) = Lab::new("v6", 2) else { return };
    let v6 = |pods: &[usize]| {
        pods.iter().map(|pod| endpoint(&format!("[{}]:8080", pod_ip6(*pod)))).collect::<Vec<_>>()
    };
    let mut sticky = service("sticky", "fd96::11", v6(&[0, 1]));
    sticky.affinity = Some(60);
    let mut web = service("web", "fd96::10", v6(&[0]));
    web.node_port = Some(30080);
    let nobody = service("nobody", "fd96::12", Vec::new());
    for (number, pod) in lab.pods.iter().enumerate() {
        pod.serve(&format!("[{}]:8080", pod_ip6(number)));
    }
    let _backend = lab.apply(lab.synced_backend(), vec![sticky, web, nobody], Vec::new());
    assert_eq!(lab.pods[1].get("[fd96::10]:80").unwrap(), ("pod0".to_owned(), pod_ip6(1)));
    assert_eq!(lab.pods[0].get("[fd96::10]:80").unwrap().0, "pod0", "hairpin");
    assert_eq!(lab.pods[1].get("[fd78::1]:30080").unwrap().0, "pod0", "node port");
    assert_eq!(lab.pods[1].servers("[fd96::11]:80", 20).len(), 1, "affinity");
    assert_eq!(lab.pods[1].get("[fd96::12]:80"), Err(ErrorKind::ConnectionRefused));
    assert_eq!(lab.node.get("[fd96::10]:80").unwrap().0, "pod0");
}
