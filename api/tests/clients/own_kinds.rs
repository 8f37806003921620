//! Kinds that no object defines.

use kube::api::{Api, Patch, PatchParams, PostParams};
use kube::{CustomResource, CustomResourceExt, KubeSchema};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;
use windlass_api::authentication::User;
use windlass_api::local::LocalClient;
use windlass_api::server::{ApiServer, Builder};
use windlass_core::client::{ClientExt, Key};
use windlass_core::scheme::{CUSTOMRESOURCEDEFINITIONS, GroupVersionResource};
use windlass_store::{Backend, Memory};

#[derive(CustomResource, KubeSchema, Clone, Debug, Deserialize, Serialize)]
#[kube(group = "example.com", version = "v1", kind = "Ship", namespaced, shortname = "sh")]
#[kube(
    status = "ShipStatus",
    scale(spec_replicas_path = ".spec.masts", status_replicas_path = ".status.masts")
)]
pub(crate) struct ShipSpec {
    #[x_kube(validation = Rule::new("self > 0").message("it needs a mast"))]
    pub(crate) masts: u32,
    #[serde(default = "white")]
    pub(crate) sails: String,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize, schemars::JsonSchema)]
pub(crate) struct ShipStatus {
    masts: u32,
}

fn white() -> String {
    "white".into()
}

pub(crate) fn ship(name: &str, masts: u32) -> Ship {
    Ship::new(name, ShipSpec { masts, sails: white() })
}

fn only(builder: Builder) -> Builder {
    builder.resources([]).kind::<Ship>()
}

#[tokio::test]
async fn they_are_served_as_definitions_are() {
    let server = only(ApiServer::builder()).build().await.expect("a server");
    let client = kube::Client::new(server.service(), "default");
    let ships: Api<Ship> = Api::default_namespaced(client.clone());
    let refused = ships.create(&PostParams::default(), &ship("raft", 0)).await;
    let refused = refused.expect_err("a rule forbids it").to_string();
    assert!(refused.contains("it needs a mast"), "{refused}");
    let bare = json!({"apiVersion": "example.com/v1", "kind": "Ship", "spec": {"masts": 2}});
    let params = PatchParams::apply("test");
    let made = ships.patch("cutter", &params, &Patch::Apply(&bare)).await.expect("applied");
    assert_eq!((made.spec.sails.as_str(), made.metadata.generation), ("white", Some(1)));
    let scaled = json!({"spec": {"replicas": 3}});
    ships
        .patch_scale("cutter", &PatchParams::default(), &Patch::Merge(scaled))
        .await
        .expect("scaled");
    let status = json!({"status": {"masts": 3}, "spec": {"masts": 9}});
    ships
        .patch_status("cutter", &PatchParams::default(), &Patch::Merge(status))
        .await
        .expect("said");
    let now = ships.get("cutter").await.expect("it is there");
    assert_eq!((now.spec.masts, now.status.expect("said").masts), (3, 3));
    let found = client.list_api_group_resources("example.com/v1").await.expect("discovery");
    let names: Vec<_> = found.resources.iter().map(|resource| resource.name.as_str()).collect();
    assert_eq!(names, ["ships", "ships/scale", "ships/status"]);
    assert_eq!(client.list_api_groups().await.expect("discovery").groups.len(), 1);
    let request = http::Request::get("/openapi/v3/apis/example.com/v1").body(Vec::new());
    let openapi: Value = client.request(request.expect("a request")).await.expect("a document");
    assert!(openapi["components"]["schemas"]["com.example.v1.Ship"].is_object(), "{openapi}");
    let request = http::Request::get("/openapi/v2").body(Vec::new());
    let openapi: Value = client.request(request.expect("a request")).await.expect("a document");
    assert!(openapi["definitions"]["com.example.v1.Ship"].is_object(), "{openapi}");
}

#[tokio::test]
async fn no_definition_takes_their_names() {
    let server = ApiServer::builder().kind::<Ship>().build().await.expect("a server");
    let local = LocalClient::new(server.clone(), User::admin());
    let key = Key::cluster(CUSTOMRESOURCEDEFINITIONS, "ships.example.com");
    local.create_from(&key, &Ship::crd()).await.expect("it may be written");
    let kube = kube::Client::new(server.service(), "default");
    let definitions = Api::all(kube.clone());
    let refused = |definition: Option<&k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition>| {
        let conditions = definition.and_then(|d| d.status.as_ref()?.conditions.as_ref());
        conditions.into_iter().flatten().any(|c| c.type_ == "NamesAccepted" && c.status == "False")
    };
    let waiting = kube::runtime::wait::await_condition(definitions, "ships.example.com", refused);
    let waited = tokio::time::timeout(std::time::Duration::from_secs(10), waiting).await;
    waited.expect("in time").expect("it is watched");
    local
        .create_from(
            &Key::cluster(windlass_core::scheme::NAMESPACES, ""),
            &json!({"metadata": {"name": "default"}}),
        )
        .await
        .expect("a namespace");
    let ships: Api<Ship> = Api::default_namespaced(kube);
    ships.create(&PostParams::default(), &ship("cutter", 1)).await.expect("ours goes on");
}

#[tokio::test]
async fn what_cannot_be_served_is_refused_at_once() {
    let twice = ApiServer::builder().resources([]).kind::<Ship>().kind::<Ship>().build().await;
    assert!(twice.err().expect("the names are taken").message.contains("names"));
    let mut loose = Ship::crd();
    loose.spec.versions[0].schema = None;
    let built = ApiServer::builder().resources([]).definition(loose).build().await;
    let status = built.err().expect("a schema is required");
    assert_eq!(status.code, 422, "{status:?}");
}

#[tokio::test]
async fn what_was_stored_goes_by_the_rules_of_now() {
    let store: Arc<dyn Backend> = Arc::new(Memory::new());
    let ships = GroupVersionResource::new("example.com", "v1", "ships");
    let key = Key::new(ships, "default", "cutter");
    let mut open = Ship::crd();
    open.spec.versions[0].schema = serde_json::from_value(json!({"openAPIV3Schema": {
        "type": "object", "x-kubernetes-preserve-unknown-fields": true}}))
    .expect("typed");
    let before = ApiServer::builder().store(store.clone()).resources([]).definition(open);
    let local = LocalClient::new(before.build().await.expect("a server"), User::admin());
    let wild = json!({"metadata": {"name": "cutter"}, "spec": {"masts": 1, "crew": 3}});
    local.create_from(&key, &wild).await.expect("anything goes");
    drop(local);
    let server = only(ApiServer::builder().store(store)).build().await.expect("a server");
    let local = LocalClient::new(server, User::admin());
    let seen: Value = local.get_as(&key).await.expect("it is there");
    assert_eq!(seen["spec"], json!({"masts": 1, "sails": "white"}));
}
