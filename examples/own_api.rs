//! An API of one's own: two kinds of this program and no built-in one, on a socket and in the process.
//!
//! `cargo run --package windlass-examples --example own_api`

use kube::api::{Api, ListParams, Patch, PatchParams, PostParams};
use kube::{Client, Config, CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::net::TcpListener;
use windlass_api::authentication::User;
use windlass_api::local::LocalClient;
use windlass_api::server::{ApiServer, ServeOptions};
use windlass_core::client::{ClientExt, Key};
use windlass_core::component::{BoxError, Shutdown};
use windlass_core::scheme::GroupVersionResource;

/// Where a game is played. Its map can't be changed, and its teams are of one size.
#[derive(CustomResource, KubeSchema, Clone, Debug, Deserialize, Serialize)]
#[kube(group = "games.example.com", version = "v1", kind = "Server", namespaced, shortname = "gs")]
#[kube(status = "ServerStatus", selectable = ".spec.map")]
#[kube(printcolumn(json_path = ".spec.map", name = "Map", type_ = "string"))]
struct ServerSpec {
    #[x_kube(validation = Rule::new("self == oldSelf").message("the map stays"))]
    map: String,
    #[serde(default = "usual")]
    #[x_kube(validation = Rule::new("self % 2 == 0").message("one team would be larger"))]
    players: u32,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize, schemars::JsonSchema)]
struct ServerStatus {
    playing: u32,
}

/// Where servers stand: in no namespace.
#[derive(CustomResource, KubeSchema, Clone, Debug, Deserialize, Serialize)]
#[kube(group = "games.example.com", version = "v1", kind = "Region")]
struct RegionSpec {
    city: String,
}

fn usual() -> u32 {
    8
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let kinds = ApiServer::builder().resources([]).kind::<Server>().kind::<Region>();
    let api = kinds.build().await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let (url, shutdown) = (format!("http://{}", listener.local_addr()?), Shutdown::new());
    let serving = api.clone().serve(listener, ServeOptions::default(), shutdown.clone());
    let serving = tokio::spawn(serving);

    // In the process: no socket and no encoding, but all the rules.
    let local = LocalClient::new(api, User::admin());
    let regions = GroupVersionResource::new("games.example.com", "v1", "regions");
    let north = json!({"metadata": {"name": "north"}, "spec": {"city": "Oslo"}});
    let north = local.create_from(&Key::cluster(regions, "north"), &north).await?;
    println!("in the process: {} {}", north.header().kind, north.name());

    // On the socket: whatever speaks to Kubernetes.
    let client = Client::try_from(Config::new(url.parse()?))?;
    println!("on the socket: {}", client.list_api_groups().await?.groups[0].name);
    let servers: Api<Server> = Api::namespaced(client, "default");
    let spec = ServerSpec { map: "canyon".into(), players: 3 };
    let odd = servers.create(&PostParams::default(), &Server::new("arena", spec)).await;
    let Err(kube::Error::Api(refused)) = odd else { return Err("three is odd".into()) };
    println!("refused: {}", refused.message);
    let arena =
        json!({"apiVersion": "games.example.com/v1", "kind": "Server", "spec": {"map": "canyon"}});
    let params = PatchParams::apply("own-api");
    let arena = servers.patch("arena", &params, &Patch::Apply(arena)).await?;
    println!("applied: arena for {} players", arena.spec.players);
    let found = servers.list(&ListParams::default().fields("spec.map=canyon")).await?;
    println!("selected: {} server", found.items.len());
    shutdown.cancel();
    Ok(serving.await?)
}
