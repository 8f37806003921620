//! `pods/log`.

use crate::agent::Agent;
use crate::cluster::{Cluster, get};
use crate::soon;
use bytes::Bytes;
use http_body_util::BodyExt;
use jiff::Timestamp;
use windlass_api::pki::Authority;
use windlass_core::meta::Reason;

const PODS: &str = "/api/v1/namespaces/default/pods";

async fn started() -> (Cluster, Agent) {
    let cluster = Cluster::start().await;
    let agent = Agent::start(&cluster.authority, &cluster.authority).await;
    cluster.node("n1", agent.address).await;
    cluster.pod("main", Some("n1"), &["main", "follow", "waiting"]).await;
    (cluster, agent)
}

#[tokio::test]
async fn are_passed_on_with_their_options() {
    let (cluster, mut agent) = started().await;
    let query = "container=main&tailLines=2&timestamps=true&previous=false&limitBytes=9&sinceSeconds=60&pretty=true";
    let response = cluster.send(get(&format!("{PODS}/main/log?{query}"))).await;
    assert_eq!(response.headers()["content-type"], "text/plain");
    let body = crate::cluster::read(response).await;
    assert_eq!(body, (200, "one\ntwo\n".into()));
    let asked = agent.asked.recv().await.expect("it was asked");
    assert_eq!(
        asked.uri(),
        "/containerLogs/default/main/main?tailLines=2&timestamps=true&limitBytes=9&sinceSeconds=60"
    );
}

#[tokio::test]
async fn are_followed_until_the_client_has_enough() {
    let (cluster, agent) = started().await;
    let mut response =
        cluster.send(get(&format!("{PODS}/main/log?container=follow&follow=true"))).await;
    let lines = agent.log.lock().take().expect("it is followed");
    for line in ["one\n", "two\n"] {
        lines.send(Bytes::from(line)).await.expect("it is still followed");
        let frame = soon(response.body_mut().frame()).await.expect("not over").expect("no error");
        assert_eq!(frame.into_data().expect("data"), line);
    }
    drop(response);
    soon(lines.closed()).await;
}

#[tokio::test]
async fn that_end_at_the_agent_end_at_the_client() {
    let (cluster, agent) = started().await;
    let response = cluster.send(get(&format!("{PODS}/main/log?container=follow&follow=1"))).await;
    let lines = agent.log.lock().take().expect("it is followed");
    lines.send("last\n".into()).await.expect("it is still followed");
    drop(lines);
    assert_eq!(crate::cluster::read(response).await.1, "last\n");
}

#[tokio::test]
async fn are_refused_as_kubernetes_refuses() {
    let (cluster, _agent) = started().await;
    cluster.pod("alone", None, &["c"]).await;
    for (path, code, reason, message) in [
        ("none/log", 404, Reason::NotFound, "pods \"none\" not found"),
        (
            "main/log",
            400,
            Reason::BadRequest,
            "a container name must be specified for pod main, choose one of: [main follow waiting]",
        ),
        (
            "main/log?container=no-such",
            400,
            Reason::BadRequest,
            "container no-such is not valid for pod main",
        ),
        ("alone/log", 400, Reason::BadRequest, "pod alone does not have a host assigned"),
        (
            "main/log?container=waiting",
            400,
            Reason::BadRequest,
            "container \"waiting\" in pod \"main\" is waiting to start: ContainerCreating",
        ),
        (
            "main/log?container=main&tailLines=-1",
            422,
            Reason::Invalid,
            "PodLogOptions \"main\" is invalid: tailLines: Invalid value: -1: must be greater than or equal to 0",
        ),
    ] {
        let status = cluster.refused(get(&format!("{PODS}/{path}"))).await;
        assert_eq!((status.code, status.reason), (code, reason), "{path}");
        assert_eq!(status.message, message, "{path}");
    }
}

#[tokio::test]
async fn of_an_agent_that_is_not_there_or_is_another() {
    let (cluster, _agent) = started().await;
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let nobody = free.local_addr().expect("bound");
    drop(free);
    cluster.node("gone", nobody).await;
    cluster.pod("lost", Some("gone"), &["c"]).await;
    let status = cluster.refused(get(&format!("{PODS}/lost/log"))).await;
    assert_eq!(status.code, 500);
    let expected = format!("Internal error occurred: error dialing backend: dial tcp {nobody}: ");
    assert!(status.message.starts_with(&expected), "{}", status.message);
    let stranger = Authority::ephemeral("other", Timestamp::now()).expect("an authority");
    let mut stranger = Agent::start(&stranger, &cluster.authority).await;
    cluster.node("strange", stranger.address).await;
    cluster.pod("kept", Some("strange"), &["c"]).await;
    let status = cluster.refused(get(&format!("{PODS}/kept/log"))).await;
    assert!(status.message.contains("error dialing backend"), "{}", status.message);
    assert!(stranger.asked.try_recv().is_err(), "nothing was asked");
}
