//! A node, pods and a machine outside, as network namespaces of the real kernel.
//!
//! Pods hang on point-to-point links with a `/32` route each and a gateway that is nobody's
//! address, so all their traffic passes the node's IP stack. Needs root; everything goes away with the [`Lab`].
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use std::fs::File;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use nix::sched::{CloneFlags, setns};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, UdpSocket};
use tokio::sync::mpsc;
use tokio::time::timeout;
use windlass_proxy::backend::nftables::{NftablesBackend, Settings};
use windlass_proxy::backend::{Backend, Change};
use windlass_proxy::model::*;

/// The longest any answer may take.
const DEADLINE: Duration = Duration::from_secs(10);

type Job = Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = ()>>> + Send>;

/// A namespace with a thread of its own in it.
pub struct Namespace {
    pub name: String,
    jobs: mpsc::UnboundedSender<Job>,
}

pub struct Lab {
    pub node: Namespace,
    pub pods: Vec<Namespace>,
    pub outside: Namespace,
}

pub const NODE_IP: &str = "192.168.77.1";
pub const OUTSIDE_IP: &str = "192.168.77.2";

pub fn pod_ip(pod: usize) -> String {
    format!("10.77.0.{}", 11 + pod)
}

pub fn pod_ip6(pod: usize) -> String {
    format!("fd77::{}", 11 + pod)
}

fn ip(arguments: &str) {
    let status = Command::new("ip")
        .args(arguments.split_whitespace())
        .status()
        .expect("iproute2 is installed");
    assert!(status.success(), "ip {arguments}");
}

impl Namespace {
    fn new(name: String) -> Self {
        ip(&format!("netns add {name}"));
        ip(&format!("-n {name} link set lo up"));
        let (jobs, mut queue) = mpsc::unbounded_channel::<Job>();
        let file = File::open(format!("/run/netns/{name}")).expect("the namespace was just made");
        std::thread::spawn(move || {
            setns(&file, CloneFlags::CLONE_NEWNET).expect("root may enter it");
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let local = tokio::task::LocalSet::new();
            local.block_on(&runtime, async move {
                while let Some(job) = queue.recv().await {
                    tokio::task::spawn_local(job());
                }
            });
        });
        Self { name, jobs }
    }

    pub fn ip(&self, arguments: &str) {
        ip(&format!("-n {} {arguments}", self.name));
    }

    /// Runs a future inside and waits for it.
    pub fn run<T: Send + 'static, F: Future<Output = T> + 'static>(
        &self,
        make: impl FnOnce() -> F + Send + 'static,
    ) -> T {
        let (done, result) = std::sync::mpsc::channel();
        let job: Job =
            Box::new(move || Box::pin(async move { done.send(make().await).unwrap_or_default() }));
        self.jobs.send(job).unwrap_or_else(|_| panic!("the namespace's thread ended"));
        result.recv_timeout(6 * DEADLINE).expect("an answer in time")
    }

    /// Serves TCP and UDP: each client gets the server's name and the address it was seen with.
    pub fn serve(&self, address: &str) {
        let (name, address): (String, SocketAddr) = (self.short_name(), address.parse().unwrap());
        self.run(move || async move {
            let tcp = TcpListener::bind(address).await.unwrap();
            let udp = UdpSocket::bind(address).await.unwrap();
            let answer = name.clone();
            tokio::task::spawn_local(async move {
                while let Ok((mut stream, peer)) = tcp.accept().await {
                    let _ = stream.write_all(format!("{answer} {}", peer.ip()).as_bytes()).await;
                }
            });
            tokio::task::spawn_local(async move {
                let mut buffer = [0; 64];
                while let Ok((_, peer)) = udp.recv_from(&mut buffer).await {
                    let _ = udp.send_to(format!("{name} {}", peer.ip()).as_bytes(), peer).await;
                }
            });
        });
    }

    fn short_name(&self) -> String {
        self.name.rsplit('-').next().unwrap().to_owned()
    }

    /// One TCP exchange: `server client-address`, or the error's kind.
    pub fn get(&self, address: &str) -> Result<(String, String), std::io::ErrorKind> {
        let address: SocketAddr = address.parse().unwrap();
        self.run(move || async move {
            let exchange = async {
                let socket =
                    if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
                let mut stream = socket?.connect(address).await?;
                let mut answer = String::new();
                stream.read_to_string(&mut answer).await?;
                // Who forwards has accepted before it finds out that nobody serves.
                if answer.is_empty() {
                    return Err(std::io::ErrorKind::UnexpectedEof.into());
                }
                Ok(answer)
            };
            match timeout(Duration::from_secs(3), exchange).await {
                Ok(answer) => answer.map_err(|error: std::io::Error| error.kind()),
                Err(_) => Err(std::io::ErrorKind::TimedOut),
            }
        })
        .map(|answer| {
            let (server, client) = answer.split_once(' ').expect("two words");
            (server.to_owned(), client.to_owned())
        })
    }

    /// One exchange of datagrams from a port of its own: the server that answered, if one did.
    pub fn ask(&self, address: SocketAddr) -> Option<String> {
        self.run(move || async move {
            let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
            let socket = UdpSocket::bind(any).await.unwrap();
            socket.connect(address).await.ok()?;
            socket.send(b"?").await.ok()?;
            let mut buffer = [0; 64];
            let answer = timeout(Duration::from_secs(1), socket.recv(&mut buffer)).await;
            let answer = String::from_utf8_lossy(&buffer[..answer.ok()?.ok()?]).into_owned();
            answer.split_once(' ').map(|(server, _)| server.to_owned())
        })
    }

    /// The servers that answered `count` exchanges.
    pub fn servers(
        &self,
        address: &str,
        count: usize,
    ) -> std::collections::BTreeMap<String, usize> {
        let mut servers = std::collections::BTreeMap::new();
        for _ in 0..count {
            *servers.entry(self.get(address).expect("an answer").0).or_default() += 1;
        }
        servers
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.name]).status();
    }
}

impl Lab {
    /// `None`, with a line that says so, without root.
    pub fn new(test: &str, pods: usize) -> Option<Self> {
        if !nix::unistd::geteuid().is_root() {
            assert!(
                std::env::var("WINDLASS_ROOT_TESTS").as_deref() != Ok("required"),
                "this needs root"
            );
            println!("SKIP {test}: network namespaces need root");
            return None;
        }
        let prefix = format!("wlp{}-{test}", std::process::id());
        let node = Namespace::new(format!("{prefix}-node"));
        let outside = Namespace::new(format!("{prefix}-outside"));
        node.ip(&format!("link add out0 type veth peer name eth0 netns {}", outside.name));
        node.ip(&format!("addr add {NODE_IP}/24 dev out0"));
        node.ip("link set out0 up");
        outside.ip(&format!("addr add {OUTSIDE_IP}/24 dev eth0"));
        outside.ip("link set eth0 up");
        outside.ip(&format!("route add default via {NODE_IP}"));
        node.ip(&format!("route add default via {OUTSIDE_IP}"));
        node.ip("addr add fd78::1/64 dev out0 nodad");
        node.ip("-6 route add default via fd78::2");
        let pods = (0..pods).map(|pod| Self::pod(&node, &prefix, pod)).collect();
        Some(Self { node, pods, outside })
    }

    fn pod(node: &Namespace, prefix: &str, number: usize) -> Namespace {
        let pod = Namespace::new(format!("{prefix}-pod{number}"));
        let (ip, ip6) = (pod_ip(number), pod_ip6(number));
        node.ip(&format!("link add veth{number} type veth peer name eth0 netns {}", pod.name));
        node.ip(&format!("link set veth{number} address ee:ee:ee:ee:ee:ee"));
        node.ip(&format!("addr add fe80::1/64 dev veth{number} nodad"));
        node.ip(&format!("link set veth{number} up"));
        node.ip(&format!("route add {ip}/32 dev veth{number}"));
        node.ip(&format!("-6 route add {ip6}/128 dev veth{number}"));
        pod.ip(&format!("addr add {ip}/32 dev eth0"));
        pod.ip(&format!("addr add {ip6}/128 dev eth0 nodad"));
        pod.ip("link set eth0 up");
        pod.ip("neigh add 169.254.1.1 lladdr ee:ee:ee:ee:ee:ee dev eth0 nud permanent");
        pod.ip("route add 169.254.1.1 dev eth0 scope link");
        pod.ip("route add default via 169.254.1.1");
        pod.ip("-6 route add default via fe80::1 dev eth0");
        pod
    }

    /// Pods on one bridge instead: isolated ports, and the node answers ARP for each of them.
    pub fn with_bridge(test: &str, pods: usize) -> Option<Self> {
        let mut lab = Self::new(test, 0)?;
        let prefix = lab.node.name.trim_end_matches("-node").to_owned();
        lab.node.ip("link add br0 type bridge");
        lab.node.ip("addr add 10.77.0.1/24 dev br0");
        lab.node.ip("link set br0 up");
        lab.node.run(|| async {
            let settings = [
                ("ipv4/conf/br0/proxy_arp_pvlan", "1"),
                ("ipv4/conf/br0/send_redirects", "0"),
                ("ipv4/conf/all/send_redirects", "0"),
                ("ipv4/neigh/br0/proxy_delay", "0"),
                // Else a redirected packet is bridged to its endpoint, which isolation forbids.
                ("bridge/bridge-nf-call-iptables", "0"),
            ];
            for (setting, value) in settings {
                let path = format!("/proc/sys/net/{setting}");
                // A kernel without bridge filtering has no switch for it.
                if std::path::Path::new(&path).exists() {
                    std::fs::write(path, value).unwrap();
                }
            }
        });
        for number in 0..pods {
            let pod = Namespace::new(format!("{prefix}-pod{number}"));
            lab.node
                .ip(&format!("link add veth{number} type veth peer name eth0 netns {}", pod.name));
            lab.node.ip(&format!("link set veth{number} master br0"));
            lab.node.ip(&format!("link set veth{number} type bridge_slave isolated on"));
            lab.node.ip(&format!("link set veth{number} up"));
            pod.ip(&format!("addr add {}/24 dev eth0", pod_ip(number)));
            pod.ip("link set eth0 up");
            pod.ip("route add default via 10.77.0.1");
            lab.pods.push(pod);
        }
        Some(lab)
    }

    /// A backend in the node's namespace that has synced nothing yet.
    pub fn backend(&self) -> NftablesBackend {
        self.backend_with(Settings::default())
    }

    /// The same with these settings, and the pods' networks.
    pub fn backend_with(&self, settings: Settings) -> NftablesBackend {
        let pod_networks = vec!["10.77.0.0/24".parse().unwrap(), "fd77::/64".parse().unwrap()];
        let settings = Settings { pod_networks, ..settings };
        self.node.run(move || async move { NftablesBackend::open(&settings).unwrap() })
    }

    /// A backend with an empty table.
    pub fn synced_backend(&self) -> NftablesBackend {
        self.synced(self.backend())
    }

    /// The backend with an empty table.
    pub fn synced(&self, mut backend: NftablesBackend) -> NftablesBackend {
        self.node.run(move || async move {
            backend.resync(&Change::default()).await.unwrap();
            backend
        })
    }

    /// Applies a change and hands the backend back.
    pub fn apply(
        &self,
        mut backend: NftablesBackend,
        updated: Vec<ServicePort>,
        removed: Vec<PortKey>,
    ) -> NftablesBackend {
        self.node.run(move || async move {
            let updated = updated.into_iter().map(Arc::new).collect();
            let change = Change { removed, ..Change::to(updated) };
            backend.apply(&change).await.unwrap();
            backend
        })
    }
}

pub fn endpoint(address: &str) -> Endpoint {
    Endpoint { address: address.parse().unwrap(), local: true }
}

pub fn pods(numbers: impl IntoIterator<Item = usize>) -> Vec<Endpoint> {
    numbers.into_iter().map(|pod| endpoint(&format!("{}:8080", pod_ip(pod)))).collect()
}

/// A Service port on port 80 with these endpoints.
pub fn service(name: &str, cluster_ip: &str, endpoints: Vec<Endpoint>) -> ServicePort {
    let cluster_ip: IpAddr = cluster_ip.parse().unwrap();
    let name = ServicePortName {
        service: NamespacedName::new("default", name),
        port: "".into(),
        protocol: Protocol::Tcp,
    };
    ServicePort {
        key: PortKey { name: Arc::new(name), family: Family::of(cluster_ip) },
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

/// The same port over UDP.
pub fn udp(port: ServicePort) -> ServicePort {
    over(Protocol::Udp, port)
}

/// The same port over another protocol.
pub fn over(protocol: Protocol, mut port: ServicePort) -> ServicePort {
    let mut name = (*port.key.name).clone();
    name.protocol = protocol;
    port.key.name = Arc::new(name);
    port
}
