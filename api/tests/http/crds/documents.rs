use super::*;

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

#[tokio::test]
async fn discovery_knows_them() {
    let http = Http::start().await;
    let before = http.accept("/apis", AGGREGATED).await;
    define(&http, &versions::old_cars()).await;
    let group = http.get("/apis/example.com").await.json();
    let versions: Vec<_> = group["versions"]
        .as_array()
        .expect("versions")
        .iter()
        .map(|v| v["version"].clone())
        .collect();
    assert_eq!(versions, [json!("v1"), json!("v1beta1")]);
    let list = http.get("/apis/example.com/v1").await.json();
    let names: Vec<_> = list["resources"]
        .as_array()
        .expect("resources")
        .iter()
        .map(|r| r["name"].clone())
        .collect();
    assert_eq!(names, [json!("cars"), json!("cars/scale"), json!("cars/status")]);
    assert_eq!(list["resources"][0]["shortNames"], json!(["c"]));
    assert_eq!(list["resources"][0]["categories"], json!(["all"]));
    let after = http.accept("/apis", AGGREGATED).await;
    assert_ne!(before.header("etag"), after.header("etag"));
    assert!(after.text().contains("\"resource\":\"cars\""));
}

#[tokio::test]
async fn openapi_knows_them_and_the_rest_stays() {
    let http = Http::start().await;
    let hash = |index: &Value, path: &str| index["paths"][path]["serverRelativeURL"].clone();
    let before = http.get("/openapi/v3").await.json();
    let plain = http.get("/openapi/v2").await;
    define(&http, &cars()).await;
    let after = http.get("/openapi/v3").await.json();
    assert_eq!(hash(&before, "api/v1"), hash(&after, "api/v1"));
    let url = hash(&after, "apis/example.com/v1");
    let document = http.get(url.as_str().expect("a URL")).await;
    assert_eq!(document.header("cache-control"), "public, immutable");
    let schema = &document.json()["components"]["schemas"]["com.example.v1.Car"];
    assert_eq!(schema["description"], "A car drives.");
    assert_eq!(schema["properties"]["spec"]["properties"]["size"]["default"], 3);
    let v2 = http.get("/openapi/v2").await;
    assert!(v2.json()["definitions"].get("com.example.v1.Car").is_some());
    assert!(v2.json()["paths"].get("/apis/example.com/v1/namespaces/{namespace}/cars").is_some());
    assert_ne!(plain.header("etag"), v2.header("etag"));
    let protobuf = http
        .accept("/openapi/v2", "application/com.github.proto-openapi.spec.v2@v1.0+protobuf")
        .await;
    let needle = b"com.example.v1.Car";
    assert!(protobuf.body.windows(needle.len()).any(|window| window == needle));
    http.method(Method::DELETE, &format!("{CRDS}/cars.example.com"), &json!({})).await;
    until_gone(&http, "cars.example.com").await;
    assert_eq!(http.get("/openapi/v2").await.header("etag"), plain.header("etag"));
}

#[tokio::test]
async fn compressed_documents_are_one_stream() {
    let http = with_cars().await;
    let request = http::Request::get("/openapi/v2").header("accept-encoding", "gzip");
    let read = http.ask(request, bytes::Bytes::new()).await;
    assert_eq!(read.header("content-encoding"), "gzip");
    let mut plain = String::new();
    // Reads one member, as most clients do.
    let mut decoder = flate2::read::GzDecoder::new(&read.body[..]);
    std::io::Read::read_to_string(&mut decoder, &mut plain).expect("checksum and length are right");
    assert_eq!(plain, http.get("/openapi/v2").await.text());
}
