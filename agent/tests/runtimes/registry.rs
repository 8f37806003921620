//! Pulls, from a registry in this process.

use super::support::Node;
use http::{Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::collections::HashMap;
use std::convert::Infallible;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpListener;
use windlass_agent::runtime::testing::Subject;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Serves the one image of an archive, and gives the registry's name.
async fn serve(archive: &Path) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let name = listener.local_addr().expect("an address").to_string();
    let mut members = HashMap::new();
    let mut tar = tar::Archive::new(std::fs::File::open(archive).expect("an archive"));
    for entry in tar.entries().expect("a tar") {
        let mut entry = entry.expect("a member");
        let mut data = Vec::new();
        entry.read_to_end(&mut data).expect("read");
        members.insert(entry.path().expect("a name").display().to_string(), data);
    }
    let members = Arc::new(members);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let members = members.clone();
            let service = service_fn(move |request: Request<Incoming>| {
                let answer = answer(request.uri().path(), &members);
                async move { Ok::<_, Infallible>(answer) }
            });
            let http = hyper::server::conn::http1::Builder::new();
            tokio::spawn(http.serve_connection(TokioIo::new(stream), service));
        }
    });
    name
}

fn answer(path: &str, members: &HashMap<String, Vec<u8>>) -> Response<Full<Bytes>> {
    let last = path.rsplit('/').next().unwrap_or_default();
    let index: serde_json::Value =
        serde_json::from_slice(&members["index.json"]).expect("an index");
    let top = index["manifests"][0]["digest"].as_str().expect("a digest");
    let digest = if last.starts_with("sha256:") { last } else { top };
    let found = members.get(&format!("blobs/{}", digest.replacen(':', "/", 1)));
    let (status, body) = match (path, found) {
        ("/v2/", _) => (StatusCode::OK, Vec::new()),
        (_, Some(data)) => (StatusCode::OK, data.clone()),
        (_, None) => (StatusCode::NOT_FOUND, Vec::new()),
    };
    Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, MANIFEST)
        .header("Docker-Content-Digest", digest)
        .body(Full::new(body.into()))
        .expect("an answer")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pulls_and_forgets() {
    let Some(node) = Node::oci().await else { return };
    pulls_and_forgets_on(node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pulls_and_forgets_on_containerd() {
    let Some(node) = Node::containerd().await else { return };
    pulls_and_forgets_on(node).await;
}

async fn pulls_and_forgets_on(mut node: Node) {
    let runtime = node.runtime();
    let registry = serve(&node.folder.join("image.tar")).await;
    // What was imported is forgotten, so that the layers must be fetched.
    runtime.remove_image(&node.image.0).await.expect("remove");
    assert!(runtime.list_images().await.expect("list").is_empty());
    let name = format!("{registry}/team/app:1");
    let missing = format!("{registry}/team/app@sha256:{}", "0".repeat(64));
    runtime.pull_image(&missing, None).await.expect_err("there is none");
    let id = runtime.pull_image(&name, None).await.expect("pull");
    let status = runtime.image_status(&name).await.expect("look").expect("is here");
    assert_eq!((&status.id, &status.tags), (&id, &vec![name.clone()]));
    assert!(status.digests[0].starts_with(&format!("{registry}/team/app@sha256:")), "{status:?}");
    let by_digest = runtime.image_status(&status.digests[0]).await.expect("look");
    assert_eq!(by_digest.map(|s| s.id), Some(id.clone()));
    assert_eq!(runtime.pull_image(&name, None).await.expect("pull again"), id);
    node.image = id;
    let pod = node.pod(|_| {}).await;
    assert_eq!(node.run(&pod, "echo pulled", |_| {}).await.2, "pulled");
    runtime.remove_sandbox(&pod).await.expect("remove");
    for pinned in [true, false] {
        runtime.pin_image(&name, pinned).await.expect("pin");
        let status = runtime.image_status(&name).await.expect("look").expect("is here");
        assert_eq!((status.pinned, &status.id), (pinned, &node.image));
    }
    runtime.pin_image("nothing:1", true).await.expect_err("there is none");
    let root = runtime.image_root().await.expect("they lie somewhere");
    assert!(root.starts_with(&node.folder) && root.is_dir(), "{}", root.display());
    runtime.remove_image(&name).await.expect("remove");
    assert!(runtime.image_status(&name).await.expect("look").is_none());
}
