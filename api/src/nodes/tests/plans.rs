//! What agents are asked for, and which.

use crate::nodes::answer::refusal_of;
use crate::nodes::container::choose;
use crate::nodes::forward::{Conversation, agent_path};
use crate::nodes::log::log_query;
use crate::nodes::objects::{Node, Pod};
use http::StatusCode;
use serde_json::{Value, json};
use windlass_core::meta::{Reason, Status};

fn pod(spec: Value) -> Pod {
    let metadata = json!({"name": "p", "namespace": "ns"});
    serde_json::from_value(json!({"metadata": metadata, "spec": spec})).unwrap()
}

fn pairs(query: &str) -> Vec<(String, String)> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn agents_are_where_their_nodes_say() {
    let agent = |status: Value| -> Result<String, Status> {
        let node: Node = serde_json::from_value(json!({"status": status})).unwrap();
        node.agent().map(|agent| agent.authority())
    };
    let addresses = json!([
        {"type": "Hostname", "address": "n1"},
        {"type": "ExternalIP", "address": "1.2.3.4"},
        {"type": "InternalIP", "address": "10.0.0.1"},
    ]);
    assert_eq!(agent(json!({"addresses": addresses})).unwrap(), "10.0.0.1:10250");
    let port = json!({"kubeletEndpoint": {"Port": 20250}});
    let hostname =
        json!({"addresses": [{"type": "Hostname", "address": "n1"}], "daemonEndpoints": port});
    assert_eq!(agent(hostname).unwrap(), "n1:20250");
    let v6 = json!({"addresses": [{"type": "InternalIP", "address": "fd00::1"}]});
    assert_eq!(agent(v6).unwrap(), "[fd00::1]:10250");
    let other = agent(json!({"addresses": [{"type": "InternalDNS", "address": "x"}]}));
    let text =
        "Internal error occurred: no preferred addresses found; known addresses: [InternalDNS]";
    assert_eq!(other.unwrap_err().message, text);
}

#[test]
fn a_container_is_chosen_or_asked_for() {
    let one = pod(json!({"containers": [{"name": "a"}], "initContainers": [{"name": "i"}]}));
    assert_eq!(choose(&one, None).unwrap(), "a");
    assert_eq!(choose(&one, Some("")).unwrap(), "a");
    assert_eq!(choose(&one, Some("i")).unwrap(), "i");
    let more = pod(json!({
        "containers": [{"name": "a"}, {"name": "b"}],
        "ephemeralContainers": [{"name": "e"}],
    }));
    assert_eq!(choose(&more, Some("e")).unwrap(), "e");
    let text = "a container name must be specified for pod p, choose one of: [a b e]";
    assert_eq!(choose(&more, None).unwrap_err().message, text);
    let text = "container x is not valid for pod p";
    assert_eq!(choose(&more, Some("x")).unwrap_err().message, text);
}

#[test]
fn queries_are_translated() {
    let pod = pod(json!({"nodeName": "n", "containers": [{"name": "c"}]}));
    for (about, query, expected) in [
        (
            Conversation::Exec,
            "command=sh&stdin=true&command=-c&stdout=1&stderr=false&tty=true&container=c",
            "/exec/ns/p/c?input=1&output=1&tty=1&command=sh&command=-c",
        ),
        (Conversation::Attach, "command=x&stderr=true&stdin=0", "/attach/ns/p/c?error=1"),
        (Conversation::PortForward, "", "/portForward/ns/p"),
        (Conversation::PortForward, "ports=80&ports=81", "/portForward/ns/p?port=80%2C81"),
    ] {
        assert_eq!(agent_path(about, &pod, &pairs(query)).unwrap(), expected);
    }
}

#[test]
fn a_pod_without_a_node_has_no_agent() {
    let pod = pod(json!({"containers": [{"name": "c"}]}));
    for about in [Conversation::Exec, Conversation::Attach, Conversation::PortForward] {
        let refused = agent_path(about, &pod, &[]).unwrap_err();
        assert_eq!(refused.message, "pod p does not have a host assigned");
        assert_eq!(refused.reason, Reason::BadRequest);
    }
}

#[test]
fn log_options_are_checked() {
    let query = |query| log_query("p", &pairs(query));
    let all =
        "follow=true&previous=1&timestamps=false&tailLines=0&sinceTime=2026-01-02T03:04:05Z&x=y";
    let expected = "follow=true&previous=true&tailLines=0&sinceTime=2026-01-02T03:04:05Z";
    assert_eq!(query(all).unwrap(), pairs(expected));
    assert_eq!(query("tailLines=1&tailLines=2&limitBytes=").unwrap(), pairs("tailLines=1"));
    for (bad, message) in [
        ("limitBytes=0", "limitBytes: Invalid value: 0: must be greater than 0"),
        ("sinceSeconds=-5", "sinceSeconds: Invalid value: -5: must be greater than 0"),
        (
            "sinceSeconds=5&sinceTime=2026-01-02T03:04:05Z",
            "sinceTime: Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified",
        ),
    ] {
        let refused = query(bad).unwrap_err();
        assert_eq!(refused.message, format!("PodLogOptions \"p\" is invalid: {message}"));
        assert_eq!(refused.code, 422);
    }
    for bad in ["tailLines=x", "sinceTime=yesterday"] {
        assert_eq!(query(bad).unwrap_err().code, 400, "{bad}");
    }
}

#[test]
fn refusals_keep_code_and_words() {
    let status = Status::not_found("", "pods", "p");
    let json = serde_json::to_vec(&status).unwrap();
    assert_eq!(refusal_of(StatusCode::NOT_FOUND, &json), status);
    for (code, body, reason, shown, message) in [
        (400, "no such thing\n", Reason::BadRequest, 400, "no such thing"),
        (403, "", Reason::Forbidden, 403, "Forbidden"),
        (418, "short and stout", Reason::Unknown, 418, "short and stout"),
        (500, "oops", Reason::InternalError, 500, "Internal error occurred: oops"),
        (404, "{}", Reason::NotFound, 404, "{}"),
        (
            200,
            "fine",
            Reason::InternalError,
            500,
            "Internal error occurred: the agent answered 200 OK: fine",
        ),
    ] {
        let told = refusal_of(StatusCode::from_u16(code).unwrap(), body.as_bytes());
        assert_eq!((told.reason, told.code, told.message.as_str()), (reason, shown, message));
    }
}
