//! A server behind another one: its kinds are used through the first as if they were the first one's own.

use crate::own_kinds::{Ship, ship};
use futures::StreamExt;
use jiff::Timestamp;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;
use kube::api::{
    Api, DeleteParams, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams,
};
use kube::runtime::wait::await_condition;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use windlass_api::authentication::{ClientCertificate, RequestHeader, User};
use windlass_api::local::LocalClient;
use windlass_api::pki::{Authority, CertificateResolver, server_tls};
use windlass_api::server::{ApiServer, ServeOptions};
use windlass_core::client::{
    DeleteOptions, Discovery, Key, ListOptions, Reader, Scope, Watcher, WriteOptions, Writer,
};
use windlass_core::clock::{Env, SystemClock};
use windlass_core::component::Shutdown;
use windlass_core::scheme::GroupVersionResource;

const DEADLINE: Duration = Duration::from_secs(20);

/// Whom both servers trust.
struct Trust {
    servers: Authority,
    proxies: Authority,
}

/// The server behind.
struct Behind {
    shutdown: Shutdown,
    serving: JoinHandle<()>,
}

impl Trust {
    fn new() -> Self {
        let authority = |name| Authority::ephemeral(name, Timestamp::now()).expect("an authority");
        Self { servers: authority("servers"), proxies: authority("front-proxy-ca") }
    }

    async fn in_front(&self) -> kube::Client {
        self.server_in_front().await.0
    }

    async fn server_in_front(&self) -> (kube::Client, Arc<ApiServer>) {
        let own = self.proxies.client("front-proxy-client", &[], Timestamp::now()).expect("signed");
        let own = CertificateResolver::new(&own).expect("usable");
        let server = ApiServer::builder().aggregation(Some(own)).build().await.expect("a server");
        let client = kube::Client::new(server.service(), "default");
        for object in [
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}),
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "ships"},
                "spec": {"type": "ExternalName", "externalName": "localhost"}}),
        ] {
            let path = match object["kind"].as_str() {
                Some("Service") => "/api/v1/namespaces/default/services",
                _ => "/api/v1/namespaces",
            };
            let request = http::Request::post(path).header("content-type", "application/json");
            let request = request.body(object.to_string().into_bytes()).expect("a request");
            client.request::<Value>(request).await.expect("made");
        }
        (client, server)
    }

    /// Serves ships to those whom a front proxy names.
    async fn behind(&self, address: SocketAddr) -> (SocketAddr, Behind) {
        let allowed = ["front-proxy-client".to_owned()];
        let named = RequestHeader::new(self.proxies.certificate(), allowed, Env::system().clock);
        let server = ApiServer::builder()
            .resources([])
            .kind::<Ship>()
            .authenticator(Arc::new(named.expect("an authority")))
            .authenticator(Arc::new(ClientCertificate::new(Arc::new(SystemClock))))
            .anonymous(false)
            .build()
            .await
            .expect("a server");
        let own = self.servers.server("ships", &["ships.default.svc".into()], Timestamp::now());
        let tls =
            server_tls(&own.expect("signed"), self.proxies.certificate(), false).expect("TLS");
        let listener = TcpListener::bind(address).await.expect("a port");
        let (address, shutdown) = (listener.local_addr().expect("bound"), Shutdown::new());
        let options = ServeOptions { tls: Some(Arc::new(tls)), ..ServeOptions::default() };
        let serving = tokio::spawn(server.serve(listener, options, shutdown.clone()));
        (address, Behind { shutdown, serving })
    }

    async fn register(&self, client: &kube::Client, port: u16) {
        let services: Api<APIService> = Api::all(client.clone());
        let service = json!({
            "metadata": {"name": "v1.example.com"},
            "spec": {"group": "example.com", "version": "v1", "groupPriorityMinimum": 1000, "versionPriority": 15,
                "service": {"namespace": "default", "name": "ships", "port": port},
                "caBundle": crate::base64(self.servers.certificate())},
        });
        let service = serde_json::from_value(service).expect("typed");
        services.create(&PostParams::default(), &service).await.expect("registered");
    }
}

impl Behind {
    async fn end(self) {
        self.shutdown.cancel();
        tokio::time::timeout(DEADLINE, self.serving).await.expect("in time").expect("no panic");
    }
}

/// Waits until the condition `Available` has a reason.
async fn until(client: &kube::Client, name: &str, reason: &str) -> APIService {
    let wanted = |service: Option<&APIService>| {
        let status = service.and_then(|service| service.status.as_ref());
        let conditions = status.and_then(|status| status.conditions.as_ref());
        conditions.into_iter().flatten().any(|known| known.reason.as_deref() == Some(reason))
    };
    let waiting = await_condition(Api::<APIService>::all(client.clone()), name, wanted);
    let found = tokio::time::timeout(DEADLINE, waiting).await;
    found.expect(reason).expect("it is watched").expect("it is there")
}

async fn get(client: &kube::Client, path: &str) -> Value {
    let request = http::Request::get(path).body(Vec::new()).expect("a request");
    client.request(request).await.expect(path)
}

#[tokio::test]
async fn the_server_keeps_services_of_its_own() {
    let client = Trust::new().in_front().await;
    let apps = until(&client, "v1.apps", "Local").await;
    let spec = apps.spec.expect("a spec");
    assert_eq!((spec.group_priority_minimum, spec.version_priority), (17_800, 15));
    let labels = apps.metadata.labels.expect("labels");
    assert_eq!(labels["kube-aggregator.kubernetes.io/automanaged"], "onstart");
    let definitions = Api::all(client.clone());
    let definition = <Ship as kube::CustomResourceExt>::crd();
    definitions.create(&PostParams::default(), &definition).await.expect("defined");
    until(&client, "v1.example.com", "Local").await;
    definitions.delete("ships.example.com", &DeleteParams::default()).await.expect("it goes");
    let services: Api<APIService> = Api::all(client.clone());
    let gone = await_condition(services, "v1.example.com", |service: Option<&APIService>| {
        service.is_none()
    });
    tokio::time::timeout(DEADLINE, gone).await.expect("in time").expect("it is watched");
}

/// The client in the process of the first server sees them too.
async fn through_the_process(client: LocalClient) {
    let ships = GroupVersionResource::new("example.com", "v1", "ships");
    let (scope, options) = (Scope::all(ships.clone()), ListOptions::default());
    let served = client.resources(&ships.group_version()).await.expect("they are known");
    assert!(served.iter().any(|info| info.gvr == ships && info.has_verb("watch")), "{served:?}");
    let key = Key::new(ships, "default", "sloop");
    let mut events = client.watch(&scope, &options).await.expect("a watch");
    let sloop = serde_json::to_vec(&ship("sloop", 1)).expect("JSON");
    let made = client.create(&key, sloop.into(), &WriteOptions::default()).await.expect("made");
    let seen = client.get(&key).await.expect("it is there");
    assert_eq!(made.header().uid, seen.header().uid);
    assert_eq!(client.list(&scope, &options).await.expect("a list").items.len(), 1);
    client.delete(&key, &DeleteOptions::default()).await.expect("gone");
    assert!(client.get(&key).await.expect_err("gone").is_not_found());
    let first = tokio::time::timeout(DEADLINE, events.next()).await.expect("in time");
    assert!(first.is_some_and(|batch| batch.is_ok_and(|events| !events.is_empty())));
}

#[tokio::test]
async fn kinds_of_another_server_are_used_through_this_one() {
    let trust = Trust::new();
    let (client, server) = trust.server_in_front().await;
    let local = SocketAddr::from(([127, 0, 0, 1], 0));
    let (address, behind) = trust.behind(local).await;
    trust.register(&client, address.port()).await;
    until(&client, "v1.example.com", "Passed").await;

    // Discovery and OpenAPI.
    let groups = client.list_api_groups().await.expect("groups").groups;
    assert!(groups.iter().any(|group| group.name == "example.com"));
    let resources = client.list_api_group_resources("example.com/v1").await.expect("resources");
    assert_eq!(resources.resources[0].name, "ships");
    let openapi = get(&client, "/openapi/v3/apis/example.com/v1").await;
    assert!(openapi["components"]["schemas"]["com.example.v1.Ship"].is_object());
    let swagger = get(&client, "/openapi/v2").await;
    assert!(swagger["definitions"]["com.example.v1.Ship"].is_object());
    assert!(swagger["definitions"]["io.k8s.api.core.v1.Pod"].is_object());

    // Objects, and what happens to them.
    let ships: Api<Ship> = Api::default_namespaced(client.clone());
    let mut events = ships.watch(&WatchParams::default(), "0").await.expect("a watch").boxed();
    let made = ships.create(&PostParams::default(), &ship("cutter", 2)).await.expect("made");
    assert_eq!(made.spec.masts, 2);
    let refused = ships.create(&PostParams::default(), &ship("raft", 0)).await;
    assert!(refused.expect_err("a rule forbids it").to_string().contains("it needs a mast"));
    let change = Patch::Merge(json!({"spec": {"masts": 3}}));
    ships.patch("cutter", &PatchParams::default(), &change).await.expect("changed");
    assert_eq!(ships.list(&ListParams::default()).await.expect("a list").items.len(), 1);
    ships.delete("cutter", &DeleteParams::default()).await.expect("gone");
    let mut masts = Vec::new();
    while masts.len() < 3 {
        let event = tokio::time::timeout(DEADLINE, events.next()).await.expect("in time");
        match event.expect("it goes on").expect("no error") {
            WatchEvent::Added(ship) | WatchEvent::Modified(ship) | WatchEvent::Deleted(ship) => {
                masts.push(ship.spec.masts);
            }
            _ => {}
        }
    }
    assert_eq!(masts, [2, 3, 3]);

    through_the_process(LocalClient::new(server, User::admin())).await;

    // Away, and back again.
    behind.end().await;
    let refused = ships.list(&ListParams::default()).await.expect_err("nobody is there");
    assert!(refused.to_string().contains("503"), "{refused}");
    let gone = until(&client, "v1.example.com", "FailedDiscoveryCheck").await;
    let conditions = gone.status.expect("a status").conditions.expect("conditions");
    let message = conditions[0].message.as_deref().unwrap_or_default();
    assert!(
        message.starts_with("failing or missing response from https://localhost:"),
        "{message}"
    );
    let groups = client.list_api_groups().await.expect("groups").groups;
    assert!(groups.iter().any(|group| group.name == "apps"));
    let (_, behind) = trust.behind(address).await;
    // A change makes the server look at once.
    let services: Api<APIService> = Api::all(client.clone());
    let change = Patch::Merge(json!({"spec": {"versionPriority": 16}}));
    services.patch("v1.example.com", &PatchParams::default(), &change).await.expect("changed");
    until(&client, "v1.example.com", "Passed").await;
    assert_eq!(ships.list(&ListParams::default()).await.expect("a list").items.len(), 0);
    services.delete("v1.example.com", &DeleteParams::default()).await.expect("gone");
    behind.end().await;
}

#[tokio::test]
async fn without_its_service_it_is_not_available() {
    let trust = Trust::new();
    let client = trust.in_front().await;
    let services: Api<k8s_openapi::api::core::v1::Service> =
        Api::default_namespaced(client.clone());
    services.delete("ships", &DeleteParams::default()).await.expect("gone");
    trust.register(&client, 443).await;
    let missing = until(&client, "v1.example.com", "ServiceNotFound").await;
    let conditions = missing.status.expect("a status").conditions.expect("conditions");
    let message = conditions[0].message.as_deref();
    assert_eq!(message, Some(r#"service/ships in "default" is not present"#));
    let request = http::Request::get("/apis/example.com/v1").body(Vec::new()).expect("a request");
    let answer = client.send(request.map(Into::into)).await.expect("an answer");
    assert_eq!(answer.status(), 503);
    let body = http_body_util::BodyExt::collect(answer.into_body()).await.expect("a body");
    assert_eq!(body.to_bytes(), "service unavailable\n");
    // One path here and another there: it does not go there.
    for hidden in ["namespaces/a%2Fb/ships", "ships%2F", "ships/..", "ships/%2e%2E", "ships%2fa"] {
        let path = format!("/apis/example.com/v1/{hidden}");
        let request = http::Request::get(&path).body(Vec::new()).expect("a request");
        let answer = client.send(request.map(Into::into)).await.expect("an answer");
        assert_eq!(answer.status(), 404, "{path}");
    }
}
