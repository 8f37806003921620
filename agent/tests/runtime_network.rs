//! Pods on the built-in network, in a network namespace of the test's own. Needs root and a static busybox
//! (`apt-get install busybox-static`); says so and passes where one is missing.

use nix::sched::{CloneFlags, unshare};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use windlass_agent::images::store::ImageStore;
use windlass_agent::images::{ImageId, Images};
use windlass_agent::network::bridge::{BridgeNetwork, BridgeOptions};
use windlass_agent::runtime::oci::{OciOptions, OciRuntime};
use windlass_agent::runtime::testing::{self, Program};
use windlass_agent::runtime::{
    ContainerConfig, ContainerId, ContainerState, Containers, ExecRequest, PortMapping,
    SandboxConfig, SandboxStatus, Sandboxes, Streams,
};

const BUSYBOX: &str = "/bin/busybox";
const DEADLINE: Duration = Duration::from_secs(20);

/// A node: a network namespace, a runtime on it.
struct Node {
    dir: tempfile::TempDir,
    image: ImageId,
    images: ImageStore,
}

impl Drop for Node {
    /// Cgroups are not in the temporary folder. Shims that are just ending still have theirs for a moment.
    fn drop(&mut self) {
        if let Err(error) = testing::remove_cgroup(&cgroup()) {
            eprintln!("{}: {error}", cgroup());
        }
    }
}

fn cgroup() -> String {
    format!("windlass-net-test-{}", std::process::id())
}

impl Node {
    async fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let archive = dir.path().join("image.tar");
        let name = "docker.io/library/busybox:test";
        testing::busybox_archive(Path::new(BUSYBOX), name, &archive).expect("an image");
        let images = ImageStore::open(dir.path().join("images")).expect("open");
        images.import_images(&archive).await.expect("import");
        let image = images.image_status(name).await.expect("look").expect("is here").id;
        Self { dir, image, images }
    }

    async fn open(&self) -> (OciRuntime, BridgeNetwork) {
        let network = BridgeNetwork::open(BridgeOptions {
            state_dir: self.dir.path().join("network"),
            pod_cidr: "10.77.1.0/24".parse().expect("a network"),
            cluster_cidrs: vec!["10.77.0.0/16".parse().expect("a network")],
            mtu: None,
        })
        .expect("open");
        let state = self.dir.path().join("state");
        let mut options = OciOptions::new(state, self.images.clone(), Arc::new(network.clone()));
        options.helper = env!("CARGO_BIN_EXE_windlass-oci-shim").into();
        options.run_dir = self.dir.path().join("run");
        options.root_cgroup = cgroup();
        (OciRuntime::open(options).await.expect("open"), network)
    }

    async fn pod(
        &self,
        runtime: &OciRuntime,
        uid: &str,
        ports: Vec<PortMapping>,
    ) -> (SandboxStatus, ContainerId) {
        let config = SandboxConfig {
            name: uid.into(),
            uid: uid.into(),
            hostname: uid.into(),
            cgroup_parent: format!("kubepods/pod{uid}"),
            port_mappings: ports,
            ..SandboxConfig::default()
        };
        let sandbox = runtime.run_sandbox(config).await.expect("run sandbox");
        let container = ContainerConfig {
            name: "main".into(),
            image: self.image.clone(),
            command: Program::IgnoresTerm.command(),
            ..ContainerConfig::default()
        };
        let id = runtime.create_container(&sandbox.id, container).await.expect("create");
        runtime.start_container(&id).await.expect("start");
        (sandbox, id)
    }
}

/// Runs a shell script and gives what it prints.
async fn sh(runtime: &OciRuntime, id: &ContainerId, script: &str) -> String {
    let command = vec!["sh".into(), "-c".into(), script.into()];
    let request = ExecRequest { command, timeout: Some(DEADLINE), ..ExecRequest::default() };
    let mut session = runtime.exec(id, request).await.expect("exec");
    let mut text = String::new();
    session.stdout.take().expect("output").read_to_string(&mut text).await.expect("read");
    let code = session.exit.await.expect("an end").expect("a code");
    assert_eq!(code, 0, "{script}: {text}");
    text
}

async fn get(address: SocketAddr) -> String {
    let fetch = async {
        let mut stream = tokio::net::TcpStream::connect(address).await?;
        fetch(&mut stream).await
    };
    tokio::time::timeout(DEADLINE, fetch).await.expect("in time").expect("an answer")
}

async fn fetch(
    stream: &mut (impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + ?Sized),
) -> std::io::Result<String> {
    stream.write_all(b"GET /hello HTTP/1.0\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

fn links() -> usize {
    let text = std::fs::read_to_string("/proc/thread-self/net/dev").expect("interfaces");
    text.lines().filter(|l| l.trim_start().starts_with("wl")).count()
}

#[test]
fn pods_reach_pods_and_the_node_reaches_pods() {
    if !rustix::process::geteuid().is_root() || !Path::new(BUSYBOX).exists() {
        eprintln!("skipped: needs root and {BUSYBOX}");
        return;
    }
    let on_a_node = || {
        unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(check());
    };
    std::thread::spawn(on_a_node).join().expect("the check passes");
}

async fn check() {
    loopback_up().await;
    let node = Node::new().await;
    let (runtime, _) = node.open().await;
    let port = PortMapping {
        host_ip: None,
        host_port: 18080,
        container_port: 8080,
        protocol: "TCP".into(),
    };
    let (server, server_main) = node.pod(&runtime, "server", vec![port]).await;
    let (client, client_main) = node.pod(&runtime, "client", vec![]).await;
    assert_eq!(links(), 2);
    // It goes to the background when it listens.
    sh(&runtime, &server_main, "echo content >/www/hello; httpd -p 8080 -h /www").await;
    let ip = server.ips[0];
    assert_ne!(ip, client.ips[0]);
    assert!(get((ip, 8080).into()).await.contains("content"), "from the node");
    let url = format!("wget -q -O - http://{ip}:8080/hello");
    assert_eq!(sh(&runtime, &client_main, &url).await, "content\n", "from another pod");
    let local = (IpAddr::V4(Ipv4Addr::LOCALHOST), 18080);
    assert!(get(local.into()).await.contains("content"), "through the host port");
    let mut forwarded = runtime.port_forward(&server.id, 8080).await.expect("forward");
    assert!(fetch(&mut *forwarded).await.expect("an answer").contains("content"), "forwarded");
    assert_eq!(sh(&runtime, &client_main, "hostname").await, "client\n");
    drop(runtime);

    let (runtime, network) = node.open().await;
    let (third, _) = node.pod(&runtime, "third", vec![]).await;
    assert!(![ip, client.ips[0]].contains(&third.ips[0]), "nobody else's address");
    assert!(get(local.into()).await.contains("content"), "host ports survive");
    for pod in [server, client, third] {
        runtime.remove_sandbox(&pod.id).await.expect("remove");
    }
    assert_eq!(links(), 0);
    network.remove_rules().expect("remove rules");
}

/// A node has an address, which its own connections come from.
async fn loopback_up() {
    let (connection, handle, _) = rtnetlink::new_connection().expect("netlink");
    tokio::spawn(connection);
    let up = rtnetlink::LinkUnspec::new_with_name("lo").up().build();
    handle.link().change(up).execute().await.expect("loopback");
    let address = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 10));
    handle.address().add(1, address, 32).execute().await.expect("address");
}

/// Prints how long pods take: `cargo test --release --test runtime_network -- --ignored --nocapture`.
#[test]
#[ignore = "prints figures, checks nothing"]
fn figures() {
    let on_a_node = || {
        unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(measure());
    };
    std::thread::spawn(on_a_node).join().expect("measured");
}

async fn measure() {
    loopback_up().await;
    let node = Node::new().await;
    let (runtime, network) = node.open().await;
    let (mut starts, mut execs, mut stops, mut memory) = (vec![], vec![], vec![], vec![]);
    for n in 0..40 {
        let begin = std::time::Instant::now();
        let (pod, main) = node.pod(&runtime, &format!("p{n}"), vec![]).await;
        starts.push(begin.elapsed());
        for _ in 0..3 {
            let begin = std::time::Instant::now();
            sh(&runtime, &main, "true").await;
            execs.push(begin.elapsed());
        }
        memory.push(shim_memory(&runtime, &main).await);
        let begin = std::time::Instant::now();
        runtime.remove_sandbox(&pod.id).await.expect("remove");
        stops.push(begin.elapsed());
    }
    network.remove_rules().expect("remove rules");
    for (what, mut times) in [("start a pod", starts), ("exec", execs), ("remove a pod", stops)] {
        times.sort();
        let at = |part: usize| times[(times.len() * part / 100).min(times.len() - 1)];
        println!("{what}: p50 {:?}, p99 {:?}", at(50), at(99));
    }
    memory.sort();
    println!("a shim: {}", memory[memory.len() / 2]);
}

/// Resident memory of a container's shim, and the part that is its own.
async fn shim_memory(runtime: &OciRuntime, id: &ContainerId) -> String {
    let all = runtime.list_containers().await.expect("list");
    let state = all.into_iter().find(|c| c.id == *id).expect("is listed").state;
    let ContainerState::Running { pid, .. } = state else { panic!("it runs") };
    let read =
        |pid: &str| std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let field = |status: &str, name: &str| {
        let line = status.lines().find_map(|l| l.strip_prefix(name)).unwrap_or_default();
        line.trim().to_string()
    };
    let shim = read(&field(&read(&pid.to_string()), "PPid:"));
    format!("resident {}, anonymous {}", field(&shim, "VmRSS:"), field(&shim, "RssAnon:"))
}
