//! Pulls, from a registry in this process.

use super::*;
use http::{Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use tokio::net::TcpListener;

/// Serves an image to who gives the right password, and gives the registry's name.
async fn serve(mut layout: Layout) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let name = listener.local_addr().unwrap().to_string();
    let top: Value = serde_json::from_slice(&layout.members.pop().unwrap().1).unwrap();
    let digest = top["manifests"][0]["digest"].as_str().unwrap().to_string();
    let index = format!("blobs/sha256/{}", hex_of(&digest).unwrap());
    let members: Arc<HashMap<String, Vec<u8>>> = Arc::new(layout.members.into_iter().collect());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (members, index) = (members.clone(), index.clone());
            let service = service_fn(move |request: Request<Incoming>| {
                let answer = answer(&request, &members, &index);
                async move { Ok::<_, Infallible>(answer) }
            });
            let http = hyper::server::conn::http1::Builder::new();
            tokio::spawn(http.serve_connection(TokioIo::new(stream), service));
        }
    });
    name
}

fn answer(
    request: &Request<Incoming>,
    members: &HashMap<String, Vec<u8>>,
    index: &str,
) -> Response<Full<Bytes>> {
    // "me:secret"
    let known =
        request.headers().get(header::AUTHORIZATION).is_some_and(|a| a == "Basic bWU6c2VjcmV0");
    if !known {
        return Response::builder()
            .status(StatusCode::UNAUTHORIZED)
            .header(header::WWW_AUTHENTICATE, "Basic realm=\"test\"")
            .body(Full::default())
            .unwrap();
    }
    let last = request.uri().path().rsplit('/').next().unwrap_or_default();
    let member = hex_of(last).map_or(index.to_string(), |hex| format!("blobs/sha256/{hex}"));
    let Some(bytes) = members.get(&member) else {
        return Response::builder().status(StatusCode::NOT_FOUND).body(Full::default()).unwrap();
    };
    let kind = match serde_json::from_slice::<Value>(bytes) {
        Ok(json) if json.get("manifests").is_some() => "application/vnd.oci.image.index.v1+json",
        Ok(json) if json.get("layers").is_some() => "application/vnd.oci.image.manifest.v1+json",
        _ => "application/octet-stream",
    };
    let response = Response::builder()
        .header(header::CONTENT_TYPE, kind)
        .header("Docker-Content-Digest", digest_of(bytes));
    response.body(Full::new(Bytes::from(bytes.clone()))).unwrap()
}

fn password(password: &str) -> Option<Credentials> {
    Some(Credentials { username: "me".into(), password: password.into() })
}

#[tokio::test]
async fn an_image_is_pulled_with_a_password() {
    let setup = Setup::new();
    let name = format!("{}/team/app:v1", serve(Layout::new(&two_layers())).await);
    let id = setup.store.pull_image(&name, password("secret")).await.unwrap();
    let image = setup.store.image_status(&name).await.unwrap().expect("is here");
    assert_eq!((image.id, image.tags), (id.clone(), vec![name.clone()]));
    assert_eq!(setup.store.layers(&id).unwrap().0.len(), 2);
    assert_eq!(setup.store.pull_image(&name, password("secret")).await.unwrap(), id, "again");
    for wrong in [password("guess"), None] {
        let error = setup.store.pull_image(&name, wrong).await.unwrap_err();
        assert!(error.to_string().starts_with("failed to pull image"), "{error}");
        assert!(!error.to_string().contains("guess"), "secrets stay secret");
    }
    let absent = setup.store.pull_image("127.0.0.1:1/none:v1", None).await;
    assert!(matches!(absent, Err(Error::Failed(_))));
}

#[tokio::test]
async fn a_registry_that_lies_is_found_out() {
    let setup = Setup::new();
    let mut layout = Layout::new(&two_layers());
    let layer = digest_of(&gzip(&two_layers()[0]));
    let path = format!("blobs/sha256/{}", hex_of(&layer).unwrap());
    layout.members.iter_mut().find(|(p, _)| *p == path).unwrap().1 = gzip(b"something else");
    let name = format!("{}/app:v1", serve(layout).await);
    assert!(setup.store.pull_image(&name, password("secret")).await.is_err());
    assert!(setup.store.list_images().await.unwrap().is_empty());
    assert_eq!(["layers", "tmp", "blobs/sha256"].map(|f| setup.count(f)), [0, 0, 0]);
}

#[tokio::test]
async fn mirrors_are_asked_first_and_hear_no_password_of_a_pod() {
    let setup = Setup::new();
    let folder = setup.dir.path().join("registries");
    let mirror = serve(Layout::new(&two_layers())).await;
    let says = |hosts: &str| {
        let folder = folder.join("registry.example");
        std::fs::create_dir_all(&folder).unwrap();
        let text = format!("server = \"http://127.0.0.1:1\"\n{hosts}");
        std::fs::write(folder.join("hosts.toml"), text).unwrap();
    };
    let password_of_its_own =
        format!("[host.\"http://{mirror}\".header]\nauthorization = \"Basic bWU6c2VjcmV0\"\n");
    let store = ImageStore::open_with(setup.dir.path().join("mirrored"), Registries::at(&folder));
    let (store, name) = (store.unwrap(), "registry.example/team/app:v1");
    // Refused, since it is told nothing; so is the registry itself, which is not there.
    says(&format!("[host.\"http://{mirror}\"]\n"));
    store.pull_image(name, password("secret")).await.unwrap_err();
    // Not asked what a tag means.
    let pull = format!("[host.\"http://{mirror}\"]\ncapabilities = [\"pull\"]\n");
    says(&format!("{pull}{password_of_its_own}"));
    store.pull_image(name, None).await.unwrap_err();
    // One says what the tag means, the other one gives it; a third one is dead.
    let alias = mirror.replace("127.0.0.1", "localhost");
    let resolve = format!("[host.\"http://{alias}\"]\ncapabilities = [\"resolve\"]\n");
    let auth = password_of_its_own.replace("127.0.0.1", "localhost");
    let dead = "[host.\"http://127.0.0.1:2\"]\n";
    says(&format!("{dead}{resolve}{auth}{pull}{password_of_its_own}"));
    let id = store.pull_image(name, None).await.unwrap();
    let image = store.image_status(name).await.unwrap().expect("is here");
    assert_eq!((&image.id, &image.tags), (&id, &vec![name.to_string()]));
    assert!(image.digests[0].starts_with("registry.example/team/app@sha256:"), "{image:?}");
    says("nonsense");
    let error = store.pull_image(name, None).await.unwrap_err();
    assert!(error.to_string().contains("hosts.toml"), "{error}");
}
