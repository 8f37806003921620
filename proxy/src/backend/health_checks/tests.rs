use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::backend::fake::FakeBackend;
use crate::model::{Endpoint, Family, Protocol, ServicePortName, TrafficPolicy};

fn port(health_check: Option<u16>, endpoints: &[&str]) -> ServicePort {
    let name = ServicePortName {
        service: NamespacedName::new("default", "web"),
        port: "".into(),
        protocol: Protocol::Tcp,
    };
    let endpoint = |address: &&str| Endpoint { address: address.parse().unwrap(), local: true };
    ServicePort {
        key: PortKey { name: Arc::new(name), family: Family::V4 },
        cluster_ip: "10.96.0.1".parse().unwrap(),
        port: 80,
        node_port: None,
        external_ips: Vec::new(),
        load_balancer_ips: Vec::new(),
        source_ranges: Vec::new(),
        local_terminating: false,
        health_check_node_port: health_check,
        affinity: None,
        internal_policy: TrafficPolicy::Cluster,
        external_policy: TrafficPolicy::Local,
        cluster_endpoints: endpoints.iter().map(endpoint).collect(),
        local_endpoints: endpoints.iter().map(endpoint).collect(),
    }
}

async fn ask(port: u16) -> std::io::Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    let read = stream.read_to_string(&mut answer);
    tokio::time::timeout(Duration::from_secs(5), read).await.expect("in time")?;
    Ok(answer)
}

async fn apply(checks: &mut HealthChecks<FakeBackend>, port: &ServicePort) {
    let change = Change::to(vec![Arc::new(port.clone())]);
    checks.apply(&change).await.unwrap();
}

#[tokio::test]
async fn tells_how_many_endpoints_are_here() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let mut checks = HealthChecks::new(FakeBackend::new(), vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]);
    apply(&mut checks, &port(Some(free), &["10.0.0.1:80", "10.0.0.1:81", "10.0.0.2:80"])).await;
    let answer = ask(free).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains(r#""localEndpoints":2"#), "{answer}");
    apply(&mut checks, &port(Some(free), &[])).await;
    assert!(ask(free).await.unwrap().starts_with("HTTP/1.1 503"), "none here");
    checks.resync(&Change::default()).await.unwrap();
    assert!(checks.checks.is_empty() && checks.ports.is_empty() && checks.services.is_empty());
}

#[tokio::test]
async fn a_taken_port_keeps_no_rules_from_being_carried_out() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let number = taken.local_addr().unwrap().port();
    let backend = FakeBackend::new();
    let recorded = backend.recorded();
    let mut checks = HealthChecks::new(backend, vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]);
    apply(&mut checks, &port(Some(number), &["10.0.0.1:80"])).await;
    assert_eq!(recorded.borrow().ports.len(), 1);
    drop(taken);
    apply(&mut checks, &port(Some(number), &["10.0.0.2:80"])).await;
    assert!(ask(number).await.unwrap().starts_with("HTTP/1.1 200"), "tried again");
    apply(&mut checks, &port(None, &["10.0.0.2:80"])).await;
    assert!(checks.checks.is_empty(), "the Service no longer wants it");
}

async fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

#[tokio::test]
async fn endpoints_that_only_serve_until_they_end_do_not_count() {
    let free = free_port().await;
    let mut checks = HealthChecks::new(FakeBackend::new(), vec![Ipv4Addr::LOCALHOST.into()]);
    let mut port = port(Some(free), &["10.0.0.1:80"]);
    port.local_terminating = true;
    apply(&mut checks, &port).await;
    let answer = ask(free).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.contains(r#""localEndpoints":0"#), "{answer}");
}

#[tokio::test]
async fn a_port_passes_to_another_service_in_one_change() {
    let free = free_port().await;
    let mut checks = HealthChecks::new(FakeBackend::new(), vec![Ipv4Addr::LOCALHOST.into()]);
    // Whatever the order in which Services are looked at.
    for round in 0..8 {
        let mut next = port(Some(free), &["10.0.0.1:80"]);
        let mut name = (*next.key.name).clone();
        name.service = NamespacedName::new("default", format!("web{round}"));
        next.key.name = Arc::new(name);
        let removed = checks.ports.keys().cloned().collect();
        let change = Change { removed, ..Change::to(vec![Arc::new(next)]) };
        checks.apply(&change).await.unwrap();
        let answer = ask(free).await.unwrap();
        assert!(answer.contains(&format!(r#""name":"web{round}""#)), "{answer}");
    }
}

#[tokio::test]
async fn a_port_that_was_taken_is_tried_again_without_a_change() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let number = taken.local_addr().unwrap().port();
    let mut checks = HealthChecks::new(FakeBackend::new(), vec![Ipv4Addr::LOCALHOST.into()]);
    apply(&mut checks, &port(Some(number), &["10.0.0.1:80"])).await;
    drop(taken);
    tokio::time::timeout(Duration::from_secs(3), checks.lost()).await.unwrap_err();
    assert!(ask(number).await.unwrap().starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn both_families_are_served() {
    let free = free_port().await;
    let both = vec![Ipv4Addr::UNSPECIFIED.into(), std::net::Ipv6Addr::UNSPECIFIED.into()];
    let mut checks = HealthChecks::new(FakeBackend::new(), both);
    apply(&mut checks, &port(Some(free), &["10.0.0.1:80"])).await;
    assert!(ask(free).await.unwrap().starts_with("HTTP/1.1 200"));
    if TcpListener::bind("[::1]:0").await.is_ok() {
        TcpStream::connect((std::net::Ipv6Addr::LOCALHOST, free)).await.unwrap();
    }
}
