//! The userspace backend beside the barest proxy there can be, in one run:
//! `cargo test --release -p windlass-proxy --test userspace_figures -- --ignored --nocapture`
#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use windlass_proxy::backend::userspace::{UserspaceBackend, UserspaceConfig};
use windlass_proxy::backend::{Backend, Change};
use windlass_proxy::model::*;

const STREAM: u64 = 256 << 20;
const CONNECTIONS: usize = 2_000;
const ROUNDS: usize = 5;

/// Takes all that comes, then says one byte.
async fn sink() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut buffer = vec![0; 64 << 10];
                while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
                let _ = stream.write_all(b"!").await;
            });
        }
    });
    address
}

async fn bare_proxy(to: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut server = TcpStream::connect(to).await.unwrap();
                let _ = copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    address
}

async fn userspace(to: SocketAddr) -> (UserspaceBackend, SocketAddr) {
    let name = ServicePortName {
        service: NamespacedName::new("default", "sink"),
        port: "".into(),
        protocol: Protocol::Tcp,
    };
    let endpoints = vec![Endpoint { address: to, local: true }];
    let key = PortKey { name: Arc::new(name), family: Family::V4 };
    let port = ServicePort {
        key: key.clone(),
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
    };
    let mut backend = UserspaceBackend::new(UserspaceConfig::default());
    backend.apply(&Change::to(vec![Arc::new(port)])).await.unwrap();
    let address = backend.forwarders().address_of(&key).unwrap();
    (backend, address)
}

async fn stream(to: SocketAddr) -> Duration {
    let mut stream = TcpStream::connect(to).await.unwrap();
    let (block, began) = (vec![7; 64 << 10], Instant::now());
    let mut left = STREAM;
    while left > 0 {
        stream.write_all(&block).await.unwrap();
        left -= block.len() as u64;
    }
    stream.shutdown().await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), b'!');
    began.elapsed()
}

async fn connections(to: SocketAddr) -> Duration {
    let began = Instant::now();
    for _ in 0..CONNECTIONS {
        let mut stream = TcpStream::connect(to).await.unwrap();
        stream.write_all(b"?").await.unwrap();
        stream.shutdown().await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b'!');
    }
    began.elapsed()
}

fn median(mut all: Vec<Duration>) -> f64 {
    all.sort_unstable();
    all[all.len() / 2].as_secs_f64()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "prints figures"]
async fn figures() {
    let sink = sink().await;
    let bare = bare_proxy(sink).await;
    let (_backend, forwarder) = userspace(sink).await;
    let (mut streams, mut opened) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    for _ in 0..ROUNDS {
        for (which, to) in [bare, forwarder].into_iter().enumerate() {
            streams[which].push(stream(to).await);
            opened[which].push(connections(to).await);
        }
    }
    let [bare, ours] = streams.map(median);
    let mib = STREAM as f64 / f64::from(1 << 20);
    println!(
        "one stream: bare {:.0} MiB/s, userspace {:.0} MiB/s, {:.2} of it",
        mib / bare,
        mib / ours,
        bare / ours
    );
    let [bare, ours] = opened.map(median);
    let count = CONNECTIONS as f64;
    println!(
        "one connection after the other: bare {:.0}/s, userspace {:.0}/s, {:.2} of it",
        count / bare,
        count / ours,
        bare / ours
    );
}
