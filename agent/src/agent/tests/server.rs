//! What a client sees of the server, over real sockets.

use super::*;
use crate::runtime::fake::Script;
use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

struct Talking;

impl Director for Talking {
    fn container(&self, _: &ContainerConfig) -> Script {
        Script {
            stdout: "one\ntwo\nthree\n".into(),
            on_term: Some(0),
            memory: 1 << 20,
            ..Script::default()
        }
    }

    fn exec(&self, _: &ContainerConfig, command: &[String]) -> Script {
        match command[0].as_str() {
            "cat" => Script { copies: true, ..Script::default() },
            "missing" => Script {
                start_error: Some("exec: \"missing\": not found".into()),
                ..Script::default()
            },
            _ => Script {
                stdout: "out".into(),
                runs: Some(Duration::ZERO),
                exit_code: 7,
                ..Script::default()
            },
        }
    }
}

async fn node() -> (TestNode, String) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    let node = TestNode::serving(Talking, listener).await;
    node.api.put("pods", pod("a", &json!({})));
    node.until("a", |pod| pod["status"]["phase"] == "Running").await;
    (node, address)
}

#[tokio::test]
async fn settings_and_what_dashboards_ask_for_are_served() {
    let (_node, address) = node().await;
    let (status, body) = get(&address, "/configz").await;
    assert!(status.contains("200"), "{status}");
    let shown: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(shown["kubeletconfig"]["imageGCHighThresholdPercent"], 85);
    let (_, body) = get(&address, "/metrics/cadvisor").await;
    let of = |name: &str, label: &str| {
        let all = body.lines().filter(|line| line.starts_with(&format!("{name}{{")));
        let found: Vec<_> = all.filter(|line| line.contains(label)).collect();
        assert_eq!(found.len(), 1, "{name} {label}: {body}");
        found[0].to_owned()
    };
    let own = "container=\"c\",id=\"/kubepods/";
    let memory = of("container_memory_working_set_bytes", own);
    assert!(memory.contains("image=\"busybox:1\"") && memory.contains("} 1048576 "), "{memory}");
    assert!(memory.contains("namespace=\"default\",pod=\"a\""), "{memory}");
    assert!(of("container_cpu_usage_seconds_total", own).contains("cpu=\"total\""));
    of("container_cpu_usage_seconds_total", "container=\"\",id=\"/kubepods/");
    of("container_memory_working_set_bytes", "id=\"/\"");
    of("container_spec_cpu_shares", own);
    assert!(body.contains("machine_cpu_cores 2 "), "{body}");
}

async fn get(address: &str, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).await.expect("connects");
    let request = format!("GET {path} HTTP/1.1\r\nHost: n\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sends");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("answers");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    (head.lines().next().unwrap_or_default().to_owned(), body.to_owned())
}

/// Everything a session sends, by channel, until it closes.
async fn exec(address: &str, query: &str, input: &[Message]) -> [String; 4] {
    let uri = format!("ws://{address}/exec/default/a/c?{query}");
    let mut request = uri.into_client_request().expect("a request");
    let protocol = "v5.channel.k8s.io".parse().expect("a value");
    request.headers_mut().insert("sec-websocket-protocol", protocol);
    let stream = TcpStream::connect(address).await.expect("connects");
    let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await.expect("upgrades");
    for message in input {
        socket.send(message.clone()).await.expect("sends");
    }
    let mut channels = [const { String::new() }; 4];
    let mut code = None;
    while let Some(Ok(message)) = socket.next().await {
        match message {
            Message::Binary(data) => {
                assert!(
                    data.len() > 1,
                    "client-go may not be listening yet: no message without data"
                );
                channels[usize::from(data[0])].push_str(&String::from_utf8_lossy(&data[1..]));
            }
            Message::Close(frame) => code = frame.map(|frame| u16::from(frame.code)),
            _ => {}
        }
    }
    assert_eq!(code, Some(1000), "a normal end");
    channels
}

#[tokio::test]
async fn logs_are_chosen_as_asked() {
    let (_node, address) = node().await;
    let logs =
        async |query: &str| get(&address, &format!("/containerLogs/default/a/c?{query}")).await.1;
    assert!(logs("").await.contains("one\ntwo\nthree\n"));
    let tail = logs("tailLines=1").await;
    assert!(tail.contains("three\n") && !tail.contains("two"), "{tail}");
    assert!(logs("timestamps=true&tailLines=1").await.contains("Z three\n"));
    assert!(!logs("limitBytes=4").await.contains("two"));
    let (head, body) = get(&address, "/containerLogs/default/a/c?previous=true").await;
    assert!(head.contains("400"), "{head}");
    assert_eq!(body, "previous terminated container \"c\" in pod \"a\" not found");
    assert!(get(&address, "/containerLogs/default/a/no").await.0.contains("404"));
    assert!(get(&address, "/containerLogs/default/a/c?tailLines=x").await.0.contains("400"));
}

#[tokio::test]
async fn a_followed_log_ends_with_its_container() {
    let (node, address) = node().await;
    let mut stream = TcpStream::connect(&address).await.expect("connects");
    let request = b"GET /containerLogs/default/a/c?follow=true HTTP/1.1\r\nHost: n\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await.expect("sends");
    let mut seen = Vec::new();
    let follow = async {
        while !String::from_utf8_lossy(&seen).contains("three\n") {
            assert_ne!(stream.read_buf(&mut seen).await.expect("answers"), 0, "it ended early");
        }
        node.api.delete_pod("a", node.env.clock.now(), 30);
        stream.read_to_end(&mut seen).await.expect("ends");
    };
    tokio::time::timeout(Duration::from_secs(20), follow).await.expect("it ends");
}

#[tokio::test]
async fn exec_carries_output_and_exit_code() {
    let (_node, address) = node().await;
    let [_, out, _, status] = exec(&address, "command=run&output=1&error=1", &[]).await;
    assert_eq!(out, "out");
    let status: Value = serde_json::from_str(&status).expect("a status");
    assert_eq!(status["details"]["causes"][0], json!({"reason": "ExitCode", "message": "7"}));
    let [.., status] = exec(&address, "command=missing&output=1", &[]).await;
    assert!(status.contains("exec: \\\"missing\\\": not found"), "{status}");
}

#[tokio::test]
async fn closing_standard_input_ends_what_reads_it() {
    let (_node, address) = node().await;
    let input = [
        Message::binary(b"\0hello".to_vec()),
        Message::binary(b"\x04{\"Width\":80,\"Height\":24}".to_vec()),
        Message::binary(vec![255, 0]),
    ];
    let [_, out, _, status] = exec(&address, "command=cat&input=1&output=1", &input).await;
    assert_eq!(out, "hello");
    assert!(status.contains("Success"), "{status}");
}

#[tokio::test]
async fn what_pods_use_is_told_in_both_ways() {
    let (_node, address) = node().await;
    let (head, text) = get(&address, "/metrics/resource").await;
    assert!(head.contains("200"), "{head}");
    let of = "{container=\"c\",namespace=\"default\",pod=\"a\"}";
    assert!(text.contains(&format!("container_memory_working_set_bytes{of} 1048576 ")), "{text}");
    assert!(text.contains(&format!("container_cpu_usage_seconds_total{of} ")), "{text}");
    assert!(text.contains("\nnode_memory_working_set_bytes "), "{text}");
    let (_, body) = get(&address, "/stats/summary").await;
    let summary: Value = serde_json::from_str(&body).expect("JSON");
    let pod = &summary["pods"][0];
    assert_eq!(pod["podRef"]["name"], "a");
    assert_eq!(pod["containers"][0]["memory"]["workingSetBytes"], 1 << 20);
    assert_eq!(summary["node"]["nodeName"], "n1");
}
